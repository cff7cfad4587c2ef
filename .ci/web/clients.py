"""A1111's API with webuiapi of PyPI, a client that no one here wrote: each of its calls works."""

import webuiapi

from server import server


def check(what, holds):
    assert holds, what
    print("ok", what)


def refused(call, word):
    try:
        call()
    except Exception as error:  # the client raises its own kinds
        return word in str(error)
    return False


def calls(port):
    api = webuiapi.WebUIApi(host="127.0.0.1", port=port, sampler="Euler a", steps=4)
    size = {"width": 64, "height": 64, "seed": 5}
    drawn = api.txt2img(prompt="photo of pascoe-ti", **size)
    check("txt2img", drawn.image.size == (64, 64) and drawn.info["seed"] == 5)
    again = api.img2img(images=[drawn.image], prompt="a woman", denoising_strength=0.6, **size)
    check("img2img", again.image.size == (64, 64))
    both = api.img2img(images=[drawn.image, again.image], batch_size=2, prompt="a woman", **size)
    check("img2img of two images", len(both.images) == 2)
    mask = drawn.image.convert("L").point(lambda value: 255 if value > 100 else 0)
    painted = api.img2img(
        images=[drawn.image], mask_image=mask, prompt="a woman", inpaint_full_res=False, **size
    )
    check("inpaint", painted.image.size == (64, 64))
    large = api.txt2img(
        prompt="a woman", enable_hr=True, hr_scale=2, hr_upscaler=webuiapi.HiResUpscaler.Latent, **size
    )
    check("hires", large.image.size == (128, 128))
    lists = (
        "get_options get_cmd_flags get_progress get_samplers get_sd_vae get_upscalers get_loras "
        "get_latent_upscale_modes get_sd_models get_hypernetworks get_face_restorers get_scripts "
        "get_realesrgan_models get_prompt_styles refresh_checkpoints get_embeddings get_memory "
        "get_schedulers interrupt skip util_get_model_names util_get_current_model"
    )
    for name in lists.split():
        getattr(api, name)()
        print("ok", name)
    api.set_options({"CLIP_stop_at_last_layers": 2})
    check("options are kept", api.get_options()["CLIP_stop_at_last_layers"] == 2)
    api.util_set_model("wayword-mini")
    check("interrogate is refused", refused(lambda: api.interrogate(drawn.image), "not supported"))
    check("extras are refused", refused(lambda: api.extra_single_image(drawn.image), "not supported"))
    check("an unknown sampler", refused(lambda: api.txt2img(prompt="a", sampler_name="foo"), "foo"))


with server() as port:
    calls(port)
