// The page in Chromium: from dropped pictures to a finished embedding, with a reload in the middle,
// a second tab, a cancelled drawing, and axe-core on each tab. `--shots DIR` writes screenshots.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { check, demo, root, start } from './server.mjs';

const shots = process.argv.includes('--shots') ? process.argv[process.argv.indexOf('--shots') + 1] : null;
const server = await start();
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
  const button = [...document.querySelectorAll('button')].find((one) => one.textContent === name && one.offsetParent);
  if (!button) throw new Error(`no button ${name}`);
  button.click();
}, text);
const write = (page, label, value) => page.evaluate((name, text) => {
  const found = [...document.querySelectorAll('label')].find((one) => one.textContent === name && one.offsetParent);
  const input = document.getElementById(found.htmlFor);
  input.value = text;
  input.dispatchEvent(new Event('input', { bubbles: true }));
}, label, value);

/** axe-core without serious findings, and nothing wider than the window. */
async function clean(page, name) {
  for (const width of [360, 1280]) {
    await page.setViewport({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    check(`${name} fits into ${width} pixels`, !wide);
    if (shots) await page.screenshot({ path: join(shots, `web-${name}-${width}.png`) });
  }
  // Not by eval: the page's own policy forbids inline scripts.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(); })()`);
  const bad = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  check(`${name} is accessible`, bad.length === 0, JSON.stringify(bad.map((one) => [one.id, one.nodes.map((n) => n.html)])));
}

try {
  const page = await tab();
  await page.waitForSelector('#files');
  const concept = join(demo, 'concepts/100_zarva woman');
  const photos = (await readdir(concept)).filter((name) => name.endsWith('.png'));
  await (await page.$('#files')).uploadFile(...photos.map((name) => join(concept, name)));
  await until(page, (count) => document.querySelectorAll('.thumbs img').length === count, 30000, photos.length);
  check('dropped pictures are shown', true);
  await write(page, 'Name', 'zarva-ti');
  await write(page, 'Init words', 'woman');
  await write(page, 'Steps', '400');
  await press(page, 'Check');
  await seen(page, 'Captions as the model sees them');
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
  await clean(page, 'grid');
  await go(page, '#library');
  await seen(page, 'pascoe-ti');
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
