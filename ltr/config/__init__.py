"""Settings: one strict tree, read from YAML and the command line.

command_line           What every command shares: `--config FILE --section.key VALUE …`, one clear line
                       on bad input
group_names            Which feature groups and embeddings a config can name: the fixed ones, and those
                       of a shop's own modalities
output                 What a command writes: results by `say` and `show`, and what libraries log,
                       as plain lines on stdout
options                Command-line options from a settings model
settings               Every setting with its type, default and description, read from
                       settings.json: quick, for it imports no ranker
settings_schema        The settings' JSON Schema, made from the tree itself; `settings.json` beside
                       it is its copy, read without the tree
tree                   One strict tree of settings, read from YAML; an unknown key is an error that
                       names its full path
yaml_files             Settings as YAML: read strictly, a mistake told with its line
"""
