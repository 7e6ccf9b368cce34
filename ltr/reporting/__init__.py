"""Pages and what commands tell on the console.

click_labels           Judgements from clicks on a page and on the console: can they be trusted, and
                       what they rest on
clips                  Files other than photos on a page: played there if they are small and of a kind
                       that browsers play, else named
console                What commands print: of the data they read, of features, figures and verdicts
experiments            An experiment on a self-contained page and on the console: the verdict first,
                       then what it rests on
explanations           Explanations on the console: of a run, of a query's first products, of one
                       product, of two
fusion_report          fusion.json, fusion.md and fusion.html: the strategies of fusion on one self-
                       contained page
measured_run           A run, or another ranker's files, measured and told: what ltr.evaluate does
pages                  How pages are filled in: jinja2, everything escaped for HTML or Markdown, a
                       missing value is an error
product_page           Products side by side: the lines that tell them apart, and a page with their
                       photos, sounds and videos
runs_page              Pages about several runs: the list of all with their trend, and two side by side
                       as the gate sees them
shown_lists            What is shown, as tables for the console and the page: retrieval's ceiling
                       first, then the systems, the model last
thumbnails             Photos small enough to lie in a page
words                  What systems, sources and features are called on a page: words of a search team,
                       the short name beside them
plotting/              Plots as SVG in the page's own colours
run_page/              The page of a run and its Markdown twin
"""
