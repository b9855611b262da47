/** Hostile and broken safetensors files: each is one clear error, nothing is believed. */
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { SteerError } from '../../src/errors.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'

interface Vector {
  test: string
  expect_error: string | null
  hex: string
}

/** A file of this header text and this many zero bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes = 0): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + text.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

async function openBytes(t: Test, bytes: Uint8Array) {
  const path = join(t.testdir({}), 'x.safetensors')
  await writeFile(path, bytes)
  const file = await openSafetensors(path)
  t.teardown(() => file.close())
  return file
}

async function errorOf(t: Test, bytes: Uint8Array): Promise<SteerError> {
  const error = await openBytes(t, bytes).then(
    () => t.fail('the file was accepted'),
    (error: unknown) => error,
  )
  if (!(error instanceof SteerError)) throw error
  t.equal(error.code, 'BAD_CHECKPOINT')
  return error
}

const url = new URL('../../../shared/data/safetensors-vectors/vectors.json', import.meta.url)
const skip = existsSync(url) ? false : 'the vectors are not beside the checkout'

t.test("the reference implementation's own cases give the same verdicts", { skip }, async (t) => {
  const vectors = JSON.parse(readFileSync(url, 'utf8')) as Vector[]
  t.equal(vectors.length, 17)
  for (const [i, { test, expect_error: expected, hex }] of vectors.entries()) {
    await t.test(`${i} ${test}`, async (t) => {
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
      if (expected) await errorOf(t, bytes)
      else t.ok(await openBytes(t, bytes))
    })
  }
})

const x = (info: string) => `{"x":{${info}}}`
const cases: [what: string, header: string | Uint8Array, dataBytes: number, message: RegExp][] = [
  ['an array', '[]', 0, /expected an object as header, got \[\]/],
  ['a byte order mark', '\ufeff{}', 0, /not JSON/],
  ['bytes that are not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), 0, /not UTF-8/],
  ['an entry that is no object', '{"x":3}', 0, /"x": expected an object, got 3/],
  [
    'an unknown type',
    x('"dtype":"F7","shape":[1],"data_offsets":[0,4]'),
    4,
    /"x": dtype: expected one of .*F32.*, got "F7"/,
  ],
  [
    'a type named like a method of objects',
    x('"dtype":"constructor","shape":[1],"data_offsets":[0,4]'),
    4,
    /dtype: expected one of/,
  ],
  [
    'a negative dimension',
    x('"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]'),
    4,
    /"x": shape: expected natural numbers, got \[-1,-1\]/,
  ],
  [
    'a fraction as dimension',
    x('"dtype":"F32","shape":[0.5,2],"data_offsets":[0,4]'),
    4,
    /shape: expected natural numbers/,
  ],
  [
    'a missing shape',
    x('"dtype":"F32","data_offsets":[0,4]'),
    4,
    /shape: expected natural numbers, got nothing/,
  ],
  [
    'too many dimensions',
    x(`"dtype":"F32","shape":[${Array(65).fill(1)}],"data_offsets":[0,4]`),
    4,
    /shape: expected natural numbers/,
  ],
  [
    'three offsets',
    x('"dtype":"F32","shape":[1],"data_offsets":[0,4,8]'),
    8,
    /data_offsets: expected \[begin, end\], got \[0,4,8\]/,
  ],
  [
    'offsets in the wrong order',
    x('"dtype":"F32","shape":[1],"data_offsets":[4,0]'),
    4,
    /expected 4 bytes for F32 \[1\], got -4/,
  ],
  [
    'too few bytes for the shape',
    x('"dtype":"F32","shape":[2,3],"data_offsets":[0,20]'),
    20,
    /"x": expected 24 bytes for F32 \[2,3\], got 20/,
  ],
  [
    'data beyond the end of the file',
    x('"dtype":"F32","shape":[2],"data_offsets":[0,8]'),
    4,
    /the tensors end at byte \d+, the file has \d+ bytes/,
  ],
  [
    'a gap before a tensor',
    x('"dtype":"F32","shape":[1],"data_offsets":[4,8]'),
    8,
    /"x": leaves a gap: expected offset 0, got 4/,
  ],
  [
    'tensors that overlap',
    '{"x":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}',
    8,
    /"y": overlaps another tensor: expected offset 8, got 4/,
  ],
  [
    'one tensor twice',
    '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x" : {"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    1,
    /the key "x" twice/,
  ],
  [
    'one tensor twice, once in escapes',
    '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0078":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    1,
    /the key "x" twice/,
  ],
  [
    'a repeated shape',
    x('"dtype":"U8","shape":[9],"shape":[1],"data_offsets":[0,1]'),
    1,
    /the key "shape" twice/,
  ],
  [
    'metadata that is not text',
    '{"__metadata__":{"a":1}}',
    0,
    /__metadata__: expected an object of/,
  ],
  ['metadata that is a list', '{"__metadata__":["a"]}', 0, /__metadata__: expected an object of/],
]

for (const [what, header, dataBytes, message] of cases) {
  t.test(`${what} is refused by name`, async (t) => {
    const error = await errorOf(t, fileOf(header, dataBytes))
    t.match(error.detail, message)
    t.match(error.detail, /x\.safetensors/, 'the file is named')
  })
}

t.test('a header longer than 100 MB is refused before it is read', async (t) => {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true)
  const error = await errorOf(t, bytes)
  t.match(error.detail, /a header of 100000001 bytes; at most 100000000 are read/)
})

t.test('a monstrous name or a deep value does not end up whole in the message', async (t) => {
  const long = await errorOf(t, fileOf(`{"${'n'.repeat(1e6)}":1}`))
  t.ok(long.detail.length < 1000)
  const deep = await errorOf(t, fileOf(`{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`))
  t.ok(deep.detail.length < 1000)
})

t.test('names like __proto__ and keys equal to a value are ordinary names', async (t) => {
  const info = (at: number) => `{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`
  const header = `{"__metadata__":{"dtype":"U8"},"__proto__":${info(0)},"U8":${info(1)}}`
  const file = await openBytes(t, fileOf(header, 2))
  t.same([...file.tensors.keys()], ['__proto__', 'U8'])
  t.same(file.metadata, { dtype: 'U8' })
})

t.test('a missing file, a folder and an unknown tensor are named', async (t) => {
  const dir = t.testdir({})
  await t.rejects(openSafetensors(join(dir, 'none.safetensors')), {
    code: 'BAD_CHECKPOINT',
    detail: /none\.safetensors: there is no such file/,
  })
  await t.rejects(openSafetensors(dir), { code: 'BAD_CHECKPOINT', detail: /expected a file/ })
  const file = await openBytes(t, fileOf('{}'))
  await t.rejects(file.read('w'), { code: 'BAD_CHECKPOINT', detail: /tensor "w" is missing/ })
})
