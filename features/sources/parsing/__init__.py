"""Values as people and programs write them → numbers, prices, dates, ids, category paths.

categories             A source's categories → paths "A > B > C": one path a product, the first where a
                       field names several
dates                  A source's dates → Datetime (µs, UTC, no zone): ISO 8601 in all its forms, as
                       people write them, or numbers
histories              Products met before, as a list or as text "a|b|c" → lists of ids
ids                    A source's ids as text, exactly as written, but for what other programs did to
                       them
numerals               Digits with points and commas → numbers: what parts thousands and what decimals
                       is decided per column
prices                 Prices as people and programs write them: "$1,299.00", "1.299,00 €", "Rs.
                       1,499/-", "99¢", "12 - 15", "₹1.5 lakh"
ratings                Ratings, and how many there are, as shops show them: "4.5/5", "4,5 von 5",
                       "★★★★☆", "90%"; "1.2K", "24 reviews"
values                 A source's columns → canonical values: numbers, prices, dates, names, joined
                       text
written_dates          Dates as people write them → ISO text: 31.05.2024, 5/31/2024 3:45 PM, 1. Mai
                       2024, May 1st, 2024
"""
