import t from 'tap'
import { createBuilder } from '../../src/ops/builder.ts'

t.test('equal scalars are one constant, different ones are not', async (t) => {
  const b = createBuilder('g')
  t.equal(b.scalar(2), b.scalar(2))
  t.not(b.scalar(2), b.scalar(3))
})

t.test('constants have the float type of the builder, bit for bit', async (t) => {
  for (const float of ['float32', 'float64'] as const) {
    const b = createBuilder('g', float)
    b.output('y', b.op('Add', [b.input('x', float, []), b.scalar(0.1)], {}))
    const { value, source } = b.build().initializers[0]!
    t.equal(value.type, float)
    if (source.kind !== 'data') return t.fail('expected data')
    const bytes = source.bytes.slice().buffer
    const data = float === 'float64' ? new Float64Array(bytes) : new Float32Array(bytes)
    t.same([...data], [float === 'float64' ? 0.1 : Math.fround(0.1)])
  }
})

t.test('the producer of a value is its node; inputs and weights have none', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [2, 4])
  const w = b.constant('w', [4], [1, 1, 1, 1])
  const [y, inverse] = b.ops('RmsNorm', [x, w], { epsilon: 1e-5 })
  t.equal(b.producer(y!)?.op, 'RmsNorm')
  t.equal(b.producer(inverse!), b.producer(y!))
  t.equal(b.producer(x), undefined)
  t.equal(b.producer(w), undefined)
})

t.test('building twice with the same input name is an error', async (t) => {
  const b = createBuilder('g')
  b.input('x', 'float32', [])
  b.input('x', 'float32', [])
  t.throws(() => b.build(), { message: /name "x" used twice/ })
})

t.test('values and nodes cannot be changed afterwards', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [2])
  const y = b.op('Reshape', [x], { shape: [1, 2] })
  t.ok(Object.isFrozen(x) && Object.isFrozen(x.shape) && Object.isFrozen(b.producer(y)))
  t.throws(() => Object.assign(y, { name: 'other' }), TypeError)
})
