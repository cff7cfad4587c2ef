// A1111's API with a client that no one here wrote: stable-diffusion-api of the npm registry.
import { createRequire } from 'node:module';
import { check, start } from './server.mjs';

const { StableDiffusionApi } = createRequire(import.meta.url)('stable-diffusion-api');
const server = await start();
try {
  const { hostname, port } = new URL(server.address);
  const api = new StableDiffusionApi({ host: hostname, port: Number(port), defaultSampler: 'Euler a', defaultStepCount: 4 });
  const size = { width: 64, height: 64 };
  const drawn = await api.txt2img({ prompt: 'photo of pascoe-ti', seed: 5, ...size });
  check('txt2img gives an image', drawn.images.length === 1 && JSON.parse(drawn.info).seed === 5);
  const again = await api.img2img({ init_images: [drawn.image], prompt: 'photo of a woman', seed: 5, denoising_strength: 0.6, ...size });
  check('img2img gives an image', again.images.length === 1);
  // The client encodes the image anew, without its texts.
  const told = await api.pngInfo(drawn.image);
  check('png-info answers', told.info !== undefined);
  for (const list of ['getSamplers', 'getUpscalers', 'getSdModels', 'getHypernetworks', 'getFaceRestorers',
    'getRealesrganModels', 'getPromptStyles', 'getCmdFlags', 'getOptions', 'getProgress']) {
    const found = await api[list]();
    check(`${list} answers`, found !== undefined && found !== null);
  }
  await api.setOptions({ CLIP_stop_at_last_layers: 2 });
  check('options are kept', (await api.getOptions()).CLIP_stop_at_last_layers === 2);
  await api.refreshCheckpoints();
  const refused = await api.interrogate(drawn.image, 'clip').then(() => null, (error) => error.response?.status);
  check('interrogate is refused', refused === 422, String(refused));
} finally {
  await server.end();
}
