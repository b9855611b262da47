/** `steerlm import` in this process: checkpoints of other people into the registry. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { run } from '../../src/commands/import.ts'
import { readManifest } from '../../src/registry/model-folder.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

async function importModel(...argv: string[]): Promise<string> {
  const captured = t.capture(console, 'log')
  try {
    t.equal(await run(argv), 0)
    return String(captured().at(-1)!.args[0])
  } finally {
    captured.restore()
  }
}

t.test('a folder is copied as it is, with a manifest', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const from = await tiny.model('original')
  await writeFile(join(from, 'README.md'), 'not taken along')
  const args = [from, '--name', 'copy', '--home', tiny.home, '--attributes', 'village', '--json']
  const printed = JSON.parse(await importModel(...args)) as { path: string }
  t.match(printed, { name: 'copy', architecture: 'LlamaForCausalLM', layers: 2, vocabSize: 259 })
  t.equal(printed.path, join(tiny.home, 'models', 'copy'))
  t.same((await readdir(printed.path)).sort(), [
    'config.json',
    'model.safetensors',
    'steerlm.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  const weights = (dir: string) => readFile(join(dir, 'model.safetensors'))
  t.ok((await weights(from)).equals(await weights(printed.path)))
  const manifest = await readManifest(printed.path)
  t.match(manifest, { name: 'copy', kind: 'language-model' })
  t.equal(manifest.attributes.length, 5)
})

t.test('--quantize f16 rounds the weights', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const from = await tiny.model('original')
  await importModel(from, '--name', 'half', '--home', tiny.home, '--quantize', 'f16')
  const { checkpoint } = await openModel(join(tiny.home, 'models', 'half'))
  const { entry, file } = checkpoint.tensors.get('model.norm.weight')!
  const half = await file.readFloat32('model.norm.weight')
  await checkpoint.close()
  t.equal(entry.dtype, 'F16')
  const original = await openModel(from)
  const whole = await original.checkpoint.tensors
    .get('model.norm.weight')!
    .file.readFloat32('model.norm.weight')
  await original.checkpoint.close()
  t.same(
    [...half],
    [...whole].map((value) => Math.f16round(value)),
  )
})

t.test('a checkpoint that does not open leaves nothing in the registry', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const from = await tiny.model('original')
  const weights = await readFile(join(from, 'model.safetensors'))
  await writeFile(join(from, 'model.safetensors'), weights.subarray(0, weights.length - 4))
  const args = [from, '--name', 'cut', '--home', tiny.home]
  await t.rejects(run(args), { code: 'BAD_CHECKPOINT', detail: /model\.safetensors/ })
  await rm(join(from, 'tokenizer.json'))
  await t.rejects(run(args), { code: 'BAD_TOKENIZER' })
  await t.rejects(run([from, '--name', '../out', '--home', tiny.home]), { code: 'BAD_ARGUMENT' })
  await t.rejects(run(['--home', tiny.home]), {
    code: 'BAD_ARGUMENT',
    detail: /expected one folder or hub id/,
  })
  t.same(await readdir(join(tiny.home, 'models')), ['original'])
})
