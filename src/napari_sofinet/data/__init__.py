"""What methods take and give: movies, tables of localisations, reconstructions and recipes."""
