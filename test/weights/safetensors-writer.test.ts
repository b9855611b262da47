/** What is written is read back, byte for byte in the order the format asks for. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { writeSafetensors, type TensorToWrite } from '../../src/weights/safetensors-writer.ts'

const sample = (): TensorToWrite[] => [
  { name: 'bytes', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
  { name: 'half', dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
  { name: 'brain', dtype: 'BF16', shape: [1, 2], data: Uint16Array.of(0x3f80, 0xc000) },
  { name: 'b', dtype: 'F32', shape: [2, 2], data: new Float32Array([0, 1, 2, 3, 4]).subarray(1) },
  { name: 'a', dtype: 'F32', shape: [], data: Float32Array.of(7) },
  { name: 'wide', dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) },
  { name: 'none', dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
]

t.test('tensors come back with their type, shape and numbers', async (t) => {
  const path = join(t.testdir({}), 'model.safetensors')
  await writeSafetensors(path, sample(), { format: 'pt' })
  const file = await openSafetensors(path)
  t.teardown(() => file.close())
  t.same(file.metadata, { format: 'pt' })
  t.same([...file.tensors.keys()], ['wide', 'a', 'b', 'none', 'brain', 'half', 'bytes'])
  t.same(await file.readFloat32('b'), Float32Array.of(1, 2, 3, 4))
  t.same(await file.readFloat32('half'), Float32Array.of(1, -2))
  t.same(await file.readFloat32('brain'), Float32Array.of(1, -2))
  t.same(await file.readFloat32('none'), new Float32Array(0))
  t.same(file.tensors.get('b')!.shape, [2, 2])
  t.same(new BigInt64Array((await file.read('wide')).buffer), BigInt64Array.of(-5n))
  await t.rejects(file.readFloat32('wide'), {
    code: 'BAD_CHECKPOINT',
    detail: /tensor "wide": expected F32, F16 or BF16, file has I64/,
  })
})

t.test(
  'every tensor begins at a multiple of its element size, the data at a multiple of 8',
  async (t) => {
    const path = join(t.testdir({}), 'model.safetensors')
    for (const name of ['x', 'xy', 'xyz', 'wxyz', 'vwxyz']) {
      await writeSafetensors(path, [...sample(), { ...sample()[0]!, name }])
      const file = await openSafetensors(path)
      await file.close()
      t.equal(Math.min(...[...file.tensors.values()].map(({ offset }) => offset)) % 8, 0)
      for (const { offset, length, shape } of file.tensors.values()) {
        const count = shape.reduce((a, b) => a * b, 1)
        if (count > 0) t.equal(offset % (length / count), 0)
      }
    }
  },
)

t.test('the bytes are those of the reference implementation', async (t) => {
  // safetensors/src/tensor.rs, test_serialization_forced_alignement and test_empty
  const path = join(t.testdir({}), 'model.safetensors')
  const data = Float32Array.of(0, 1, 2, 3, 4, 5)
  await writeSafetensors(path, [{ name: 'attn0', dtype: 'F32', shape: [1, 1, 2, 3], data }])
  const header = '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       '
  const expected = Buffer.concat([
    Buffer.from([72, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from(header),
    Buffer.from(data.buffer),
  ])
  t.ok(expected.equals(await readFile(path)))
  await writeSafetensors(path, [])
  t.same([...(await readFile(path))], [8, 0, 0, 0, 0, 0, 0, 0, 123, 125, 32, 32, 32, 32, 32, 32])
})

t.test(
  'the order given does not change the file, nor do names that look like numbers',
  async (t) => {
    const dir = t.testdir({})
    const named = [
      ...sample(),
      ...['1', '0', '__proto__'].map((name) => ({ ...sample()[4]!, name })),
    ]
    await writeSafetensors(join(dir, 'a'), named)
    await writeSafetensors(join(dir, 'b'), named.reverse())
    t.ok((await readFile(join(dir, 'a'))).equals(await readFile(join(dir, 'b'))))
    const file = await openSafetensors(join(dir, 'a'))
    await file.close()
    t.same(
      [...file.tensors.keys()].filter((name) => name.length === 1),
      ['0', '1', 'a', 'b'],
    )
    t.ok(file.tensors.has('__proto__'))
  },
)

t.test('a wrong length, a taken name or a failing write leaves the old file alone', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'model.safetensors')
  await writeFile(path, 'old')
  const [first] = sample()
  const reject = (tensors: TensorToWrite[], detail: RegExp) =>
    t.rejects(writeSafetensors(path, tensors), { code: 'INTERNAL', detail })
  await reject([{ ...first!, shape: [4] }], /tensor "bytes": \[4\] U8: 4 bytes, got 3/)
  await reject([first!, first!], /tensor "bytes": the name is taken/)
  await reject([{ ...first!, name: '__metadata__' }], /the name is taken/)
  t.equal(await readFile(path, 'utf8'), 'old')
  t.same(await readdir(dir), ['model.safetensors'])
})
