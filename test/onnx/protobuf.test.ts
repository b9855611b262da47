import t from 'tap'
import { ProtoWriter } from '../../src/onnx/protobuf.ts'

const written = (write: (w: ProtoWriter) => void) => {
  const writer = new ProtoWriter()
  write(writer)
  return Buffer.from(writer.bytes()).toString('hex')
}

t.test('varints are those of the specification', async (t) => {
  // 150 is the example of https://protobuf.dev/programming-guides/encoding
  t.equal(
    written((w) => w.int(1, 150)),
    '089601',
  )
  t.equal(
    written((w) => w.int(1, 0)),
    '0800',
  )
  t.equal(
    written((w) => w.int(20, 127)),
    'a0017f',
  )
  t.equal(
    written((w) => w.int(1, -1)),
    '08ffffffffffffffffff01',
  )
  t.equal(
    written((w) => w.int(2, 2 ** 40)),
    '10808080808020',
  )
  t.equal(
    written((w) => w.int(1, 2n ** 63n - 1n)),
    '08ffffffffffffffff7f',
  )
})

t.test('texts, bytes, floats and messages', async (t) => {
  t.equal(
    written((w) => w.text(2, 'testing')),
    '120774657374696e67',
  )
  t.equal(
    written((w) => w.text(2, 'ä')),
    '1202c3a4',
  )
  t.equal(
    written((w) => w.raw(9, Uint8Array.of(1, 2))),
    '4a020102',
  )
  t.equal(
    written((w) => w.float(2, 1.5)),
    '150000c03f',
  )
  t.equal(
    written((w) => w.message(3, (inner) => inner.int(1, 150))),
    '1a03089601',
  )
  t.equal(
    written((w) => w.message(3, () => {})),
    '1a00',
  )
})

t.test('long content survives the growth of the buffer', async (t) => {
  const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)
  const writer = new ProtoWriter()
  for (let i = 0; i < 300; i++) writer.int(1, i % 128)
  writer.raw(2, data)
  writer.int(3, 5)
  const bytes = writer.bytes()
  t.equal(bytes.length, 600 + 1 + 3 + data.length + 2)
  t.same(Buffer.from(bytes.subarray(604, 604 + data.length)), Buffer.from(data))
  t.same([...bytes.subarray(-2)], [24, 5])
})
