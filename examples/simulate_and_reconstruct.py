"""Simulate a movie of blinking microtubules, reconstruct it by SOFI, and compare with the truth.

python examples/simulate_and_reconstruct.py
"""

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.writing import write_movie

# The preset 'microtubules' with more frames and weaker dyes; any setting can be changed like this.
settings = preset_settings("microtubules", seed=1, changes={"frames": 500, "blinking.photons": 60})
simulation = simulate(settings)
write_movie("simulated.tif", simulation)
simulation.truth.save("simulated_truth.npz")

# The file carries its pixel size, so there is nothing else to say.
movie = sofinet.open_movie("simulated.tif")
for method in ("average", "sofi"):
    result = sofinet.reconstruct(movie, method)
    result.save(f"simulated_{method}.ome.tif")
    # The emitters as spots of half the PSF, on the pixels of the reconstruction.
    fineness = round(1 / result.pixel_px[0])
    width_um = settings.optics.fwhm_um / 2
    truth = simulation.truth.ideal(
        fineness=fineness, fwhm_um=width_um, origin_px=result.origin_px, shape=result.image.shape
    )
    print(f"{method}: Pearson correlation with the truth {pearson(result.image, truth.image):.2f}")
