// The page in Chromium: from dropped pictures to a finished embedding, with a reload in the middle,
// a second tab, a cancelled drawing, and axe-core on each tab. `--shots DIR` writes screenshots, with
// `--whole` of whole pages.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { check, demo, fresh, start } from './server.mjs';

const shots = process.argv.includes('--shots') ? process.argv[process.argv.indexOf('--shots') + 1] : null;
// What a killed server leaves of a grid and of a preparation.
const folder = await fresh();
await mkdir(join(folder, 'out/.wayword'), { recursive: true });
await writeFile(join(folder, 'out/.wayword/jobs.jsonl'), [
  { id: '7', command: 'grid', created: 1, request: { prompt: 'photo of a woman', x: 'cfg: 4, 7', steps: 2, size: [64, 64], out: join(folder, 'out/grids/7') } },
  { id: '8', command: 'prepare', created: 1, request: { photos: [join(demo, 'concepts')], out: join(folder, 'out/prepared/8') } },
].map((line) => `${JSON.stringify(line)}\n`).join(''));
const server = await start(folder);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'],
});
const faults = [];
const axe = await readFile(join(import.meta.dirname, 'node_modules/axe-core/axe.min.js'), 'utf8');

async function tab() {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (line) => { if (line.type() === 'error') faults.push(line.text()); });
  page.on('dialog', (dialog) => dialog.accept('renamed-ti'));
  await page.goto(server.address);
  return page;
}

const go = async (page, hash) => {
  await page.evaluate((to) => { location.hash = to; }, hash);
  await page.waitForSelector('main h2');
};
// By the clock, not by frames (the default): a tab behind another one draws none.
const until = (page, holds, most, ...given) => page.waitForFunction(holds, { timeout: most, polling: 100 }, ...given);
const seen = (page, pattern, most = 120000) => until(
  page, (text) => new RegExp(text).test(document.body.innerText), most, pattern);
const press = (page, text) => page.evaluate((name) => {
  const button = [...document.querySelectorAll('button')].find((one) => one.textContent === name && one.checkVisibility());
  if (!button) throw new Error(`no button ${name}`);
  button.click();
}, text);
const write = (page, label, value) => page.evaluate((name, text) => {
  const found = [...document.querySelectorAll('label')].find((one) => one.textContent === name && one.offsetParent);
  const input = document.getElementById(found.htmlFor);
  input.value = text;
  input.dispatchEvent(new Event('input', { bubbles: true }));
}, label, value);

/** The same for an option whose field may be folded away. */
const set = (page, name, value) => page.$eval(`[id^="field-${name}-"]`, (input, text) => {
  input.value = text;
  input.dispatchEvent(new Event('input', { bubbles: true }));
}, value);

/** axe-core without serious findings in light and dark, and nothing wider than the window. */
async function clean(page, name) {
  for (const scheme of ['dark', 'light']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    for (const width of [360, 1400]) {
      await page.setViewport({ width, height: 900 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      check(`${name} fits into ${width} pixels (${scheme})`, !wide);
      if (!shots) continue;
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}.png`), fullPage: process.argv.includes('--whole') });
    }
    await accessible(page, `${name} (${scheme})`);
  }
}

async function accessible(page, name) {
  // Not by eval: the page's own policy forbids inline scripts.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(); })()`);
  const bad = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  check(`${name} is accessible`, bad.length === 0, JSON.stringify(bad.map((one) => [one.id, one.nodes.map((n) => n.html)])));
}

/** Crops are proposed, and changed by pointer and keyboard; the photo that is left out is not trained on. */
async function crops(page, photos) {
  await page.evaluate(() => {
    const found = [...document.querySelectorAll('label')].find((one) => one.textContent === 'Preset');
    const select = document.getElementById(found.htmlFor);
    select.value = 'object';
    select.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await write(page, 'Resolution', '64,64');
  await press(page, 'Prepare photos');
  await seen(page, `${photos.length} of ${photos.length} photos are kept`);
  const canvas = await page.waitForSelector('canvas.cutting');
  const state = () => page.evaluate(async () => {
    await new Promise((done) => setTimeout(done, 900));
    const folder = document.getElementById('folder').value.split('/').pop();
    return (await (await fetch(`/api/v1/prepared/prepared/${folder}`)).json()).pictures[0];
  });
  const before = await state();
  await canvas.focus();
  for (const key of ['+', '+', '+', '+', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  const moved = await state();
  check('the keyboard sizes and moves a crop', moved.crop[2] < before.crop[2] && moved.crop[0] > before.crop[0], JSON.stringify(moved.crop));
  const box = await canvas.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x - box.width / 2, y - box.height / 2, { steps: 5 });
  await page.mouse.up();
  const dragged = await state();
  check('the pointer drags a crop', dragged.crop[0] === 0 && dragged.crop[1] === 0, JSON.stringify(dragged.crop));
  await page.mouse.move(x, y);
  await page.mouse.wheel({ deltaY: 100 });
  await page.keyboard.press('r');
  await page.keyboard.press('Space');
  const turned = await state();
  check('a photo is turned and left out', turned.turn === 90 && turned.keep === false && turned.crop[2] > dragged.crop[2], JSON.stringify(turned));
  for (const key of ['PageDown', '+', '+', '+', 'ArrowUp']) await page.keyboard.press(key);
  const second = (await (await page.$('.crops [aria-current]')).evaluate((button) => button.getAttribute('aria-label')));
  check('the next photo is chosen', second.endsWith(': kept'), second);
  await clean(page, 'crops');
}

try {
  const page = await tab();
  await page.waitForSelector('#files');
  const concept = join(demo, 'concepts/100_zarva woman');
  const photos = (await readdir(concept)).filter((name) => name.endsWith('.png'));
  await (await page.$('#files')).uploadFile(...photos.map((name) => join(concept, name)));
  await until(page, (count) => document.querySelectorAll('.thumbs img').length === count, 30000, photos.length);
  check('dropped pictures are shown', true);
  await seen(page, 'Interrupted: preparing 1 photos');
  await press(page, 'Dismiss');
  await until(page, () => !/Interrupted/.test(document.body.innerText), 10000);
  check('an interrupted preparation is offered again', true);
  await crops(page, photos);
  await write(page, 'Name', 'zarva-ti');
  await write(page, 'Init words', 'woman');
  await write(page, 'Steps', '400');
  await set(page, 'sample_every', '200');
  await set(page, 'training_comment', 'made on the page');
  await press(page, 'Check');
  await seen(page, 'Captions as the model sees them');
  await seen(page, `${photos.length - 1} images, 400 steps`, 1000);
  check('the forecast and the captions are shown', true);
  await clean(page, 'train');
  await press(page, 'Start training');
  await seen(page, 'step [0-9]+ of 400');
  check('the training runs', true);
  const other = await tab();
  await go(other, '#run');
  await seen(other, 'zarva-ti');
  await page.reload();
  await seen(page, 'step [0-9]+ of 400|finished');
  check('a reload and a second tab show the same run', true);

  // A small drawing comes between the steps of the training.
  await go(other, '#draw');
  await write(other, 'Prompt', 'photo of a woman');
  await write(other, 'Steps', '4');
  await other.bringToFront();
  await seen(other, 'How the prompt is read');
  await press(other, 'Draw');
  await other.waitForSelector('.gallery img', { timeout: 60000 });
  check('a drawing comes between the steps', true);

  await page.bringToFront();
  await seen(page, 'Draw with it', 240000);
  const curve = await page.$$eval('.chart polyline, .chart path', (lines) => lines.length);
  check('the curves are drawn', curve >= 3, String(curve));
  await page.waitForSelector('[aria-label="Similarity of previews to the images"] polyline');
  check('the similarity of previews is a curve', true);
  await page.evaluate(() => {
    const input = document.getElementById('step');
    input.value = '100';
    input.dispatchEvent(new Event('input'));
  });
  await page.waitForSelector('[aria-label="Steps"] img', { timeout: 60000 });
  check('the slider draws a step', true);
  await press(page, 'Use this step');
  await seen(page, 'zarva-ti-step00000100');
  check('a step becomes a file', true);

  // A second run in a second tab.
  await page.evaluate(async () => {
    const images = [document.getElementById('folder')?.value].filter(Boolean);
    const runs = (await (await fetch('/api/v1/runs')).json()).runs;
    const plan = await (await fetch(`/files/${runs[0].run}/plan.json`)).json();
    const body = JSON.stringify({ command: 'train', images: images.length ? images : plan.images, name: 'second-ti', init: 'woman', steps: 20, resolution: [64, 64] });
    const { id } = await (await fetch('/api/v1/jobs', { method: 'POST', body })).json();
    location.hash = `#run/job/${id}`;
  });
  await until(page, () => document.querySelectorAll('[role=tab]').length === 2, 30000);
  await seen(page, 'finished');
  await page.focus('[role=tab][aria-selected=true]');
  await page.keyboard.press('ArrowLeft');
  await until(page, () => document.querySelector('[role=tabpanel] h2')?.textContent === 'zarva-ti', 10000);
  check('two runs are open as tabs', true);
  await clean(page, 'run');

  await go(page, '#draw');
  await write(page, 'Prompt', 'photo of zarva-ti');
  await seen(page, 'zarva-ti');
  await clean(page, 'draw');
  await write(page, 'Number of images', '500');
  await press(page, 'Draw');
  await until(page, () => document.querySelector('progress').value > 0, 30000);
  await press(page, 'Cancel');
  await seen(page, 'stopped');
  check('a drawing is cancelled', true);

  await go(page, '#grid');
  await seen(page, 'Columns');
  await seen(page, 'Interrupted: photo of a woman - cfg: 4, 7');
  check('a cell can be skipped', await page.evaluate(() => [...document.querySelectorAll('button')].some((one) => one.textContent === 'Skip this cell')));
  await press(page, 'Do it again');
  await seen(page, 'The whole grid as a page');
  check('an interrupted grid is drawn again', true);
  await clean(page, 'grid');
  await go(page, '#library');
  await seen(page, 'pascoe-ti');
  check('notes are shown', await page.evaluate(() => [...document.querySelectorAll('tr')]
    .some((row) => row.textContent.includes('zarva-ti') && row.textContent.includes('made on the page'))));
  await page.click('[aria-label="Convert zarva-ti"]');
  await page.waitForSelector('dialog[open] #program');
  await page.select('#program', 'a1111');
  await page.select('#ending', 'pt');
  await press(page, 'Write');
  const converted = await (await page.waitForSelector('dialog[open] a[download="zarva-ti.pt"]')).evaluate((link) => link.href);
  const bytes = await page.evaluate(async (link) => (await (await fetch(link)).arrayBuffer()).byteLength, converted);
  check('the Convert dialog writes a file and offers it', bytes > 100, `${converted} ${bytes}`);
  await accessible(page, 'the Convert dialog');
  await press(page, 'Close');
  await page.click('[aria-label="Rename zarva-ti"]');
  await seen(page, 'renamed-ti');
  await page.click('[aria-label="Delete renamed-ti"]');
  await seen(page, 'was deleted');
  await press(page, 'Undo');
  await page.waitForSelector('[aria-label="Delete renamed-ti"]');
  check('an embedding is renamed, deleted and brought back', true);
  await clean(page, 'library');
  check('the page wrote no errors', faults.length === 0, faults.join('\n'));
} finally {
  await browser.close();
  await server.end();
}
