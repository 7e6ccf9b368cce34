"""Text → vector.

model_files            Where a sentence-transformers model lies on disk, what is in it, and how it is
                       loaded
onnx_check             An exported model's folder from anywhere, looked through before ONNX Runtime
                       opens it
onnx_export            A sentence-transformers model → a folder for ONNX Runtime: the graph, the
                       tokenizer, what it takes
onnx_runtime           Text → vectors by ONNX Runtime on a CPU, from a model exported beforehand; needs
                       no torch once that is done
safe_folder            A model's folder from anywhere, looked through before a library opens it: no
                       code, no pickles, nothing outside
reach                  How far a transformer reads: which texts are longer than its limit of tokens
sentence_encoders      Text → vectors: a sentence-transformers model, or TF-IDF with latent semantic
                       analysis
single_text            One text through a small BERT in numpy: a shopper's query is encoded before
                       torch is even imported
static                 Text → the mean of its tokens' fixed vectors: no network is left, so a text
                       takes microseconds
student                Text → the space of a larger text encoder: a student of it, fitted on the shop's
                       own texts, now frozen
token_batches          Texts grouped by length, so that hardly any padding is computed
transformer            What every encoder around a sentence-transformers folder shares: torch or ONNX
                       Runtime, batches by length
"""
