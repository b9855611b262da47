/** Checkpoint folders: whole, in shards, and broken. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openCheckpoint } from '../../src/weights/checkpoint.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'

const tensor = (name: string, value: number) => {
  return { name, dtype: 'F32' as const, shape: [1], data: Float32Array.of(value) }
}
const INDEX = 'model.safetensors.index.json'
const [ONE, TWO] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']

/** A folder with tensors a (1) and b (2) in one shard each. */
async function sharded(t: Test, weightMap: unknown = { a: ONE, b: TWO }): Promise<string> {
  const dir = t.testdir({})
  await writeSafetensors(join(dir, ONE), [tensor('a', 1)])
  await writeSafetensors(join(dir, TWO), [tensor('b', 2)])
  await writeFile(join(dir, INDEX), JSON.stringify({ metadata: {}, weight_map: weightMap }))
  return dir
}

const rejects = (t: Test, dir: string, detail: RegExp) =>
  t.rejects(openCheckpoint(dir), { code: 'BAD_CHECKPOINT', detail })

t.test('one file', async (t) => {
  const dir = t.testdir({})
  await writeSafetensors(join(dir, 'model.safetensors'), [tensor('a', 1), tensor('b', 2)])
  const checkpoint = await openCheckpoint(dir)
  t.teardown(() => checkpoint.close())
  t.same([...checkpoint.tensors.keys()], ['a', 'b'])
  t.same(await checkpoint.tensors.get('b')!.file.readFloat32('b'), Float32Array.of(2))
})

t.test('shards through their index', async (t) => {
  const checkpoint = await openCheckpoint(await sharded(t))
  t.teardown(() => checkpoint.close())
  const b = checkpoint.tensors.get('b')!
  t.match(b.file.path, TWO)
  t.same(await b.file.readFloat32('b'), Float32Array.of(2))
})

t.test('what is missing is named', async (t) => {
  await rejects(t, t.testdir({}), /neither model\.safetensors nor model\.safetensors\.index\.json/)
  const dir = await sharded(t)
  await rm(join(dir, TWO))
  await rejects(t, dir, /model-00002-of-00002\.safetensors: there is no such file/)
})

t.test('an index must agree with its shards', async (t) => {
  await rejects(t, await sharded(t, { a: ONE, b: TWO, c: TWO }), /"c" is not in model-00002/)
  await rejects(t, await sharded(t, { a: TWO, b: ONE }), /"a" is not in model-00002/)
  const dir = await sharded(t)
  await writeSafetensors(join(dir, TWO), [tensor('a', 1), tensor('b', 2)])
  await rejects(t, dir, /tensor "a" stands in .*00001.* and in .*00002/)
})

t.test('an index cannot lead out of the folder', async (t) => {
  for (const name of ['../model.safetensors', '/etc/passwd', '..', 'a\\b.safetensors', 'x.bin']) {
    await rejects(t, await sharded(t, { a: name }), /expected a \.safetensors file of the folder/)
  }
})

t.test('an index that is no index is refused', async (t) => {
  const dir = await sharded(t)
  await writeFile(join(dir, INDEX), '{')
  await rejects(t, dir, /index\.json: not JSON/)
  await writeFile(join(dir, INDEX), '{"weight_map":[]}')
  await rejects(t, dir, /expected \{"weight_map"/)
  await writeFile(join(dir, INDEX), '{"weight_map":{}}')
  await rejects(t, dir, /expected 1 to 1024 shards, got 0/)
})
