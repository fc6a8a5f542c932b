"""From runs to a page that is read without anything else: verdict, tables, curves, pictures."""
