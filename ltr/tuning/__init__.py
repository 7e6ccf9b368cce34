"""The search for better settings: what may be tried, how a trial is judged, where a study is kept."""
