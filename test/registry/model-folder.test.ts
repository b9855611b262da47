import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { readManifest, userModelPath, writeManifest } from '../../src/registry/model-folder.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'

const manifest: ModelManifest = {
  kind: 'language-model',
  name: 'village',
  template: 'chat',
  attributes: attributeSet('village'),
  combinations: [{ values: [4, 0, 0, 2, 0], count: 3 }],
}

async function model(...path: string[]): Promise<string> {
  const dir = join(...path)
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'config.json'), '{}')
  return dir
}

t.test('a manifest is written whole and read back', async (t) => {
  const dir = await model(t.testdir(), 'village')
  await writeManifest(dir, manifest)
  t.same(await readManifest(dir), manifest)
  t.same((await readdir(dir)).sort(), ['config.json', 'steerlm.json'])
  const bad = { ...manifest, combinations: [{ values: [1], count: 1 }] }
  await t.rejects(writeManifest(dir, bad), { code: 'BAD_CHECKPOINT', detail: /one value per/ })
  t.same(await readManifest(dir), manifest)
})

t.test('a folder without a manifest is a plain language model', async (t) => {
  const dir = await model(t.testdir(), 'plain')
  t.same(await readManifest(dir), {
    kind: 'language-model',
    name: 'plain',
    template: 'chat',
    attributes: [],
  })
})

t.test('a broken manifest names its file and the member', async (t) => {
  const dir = await model(t.testdir(), 'broken')
  const path = join(dir, 'steerlm.json')
  await writeFile(path, '{')
  await t.rejects(readManifest(dir), {
    code: 'BAD_CHECKPOINT',
    detail: /steerlm\.json is not JSON/,
  })
  await writeFile(path, JSON.stringify({ ...manifest, kind: 'attribute-model', attributes: [] }))
  await t.rejects(readManifest(dir), { code: 'BAD_CHECKPOINT', detail: /attributes/ })
})

t.test('a user model cannot be written outside its folder', async (t) => {
  t.equal(userModelPath('a.b-1', '/h'), join('/h', 'models', 'a.b-1'))
  for (const name of ['../x', 'a/b', '', '.x']) {
    t.throws(() => userModelPath(name, '/h'), { code: 'BAD_ARGUMENT' }, name)
  }
})
