"""From runs to one page: verdict, tables, curves and pictures. Its looks are in templates/."""
