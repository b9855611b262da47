/** Runs in the background: concurrency, cancelling, and a free event loop. */
import t, { type Test } from 'tap'
import { createTensor, Session } from '../../src/ort/index.ts'
import { addOneModel, slowModel } from './tiny-model.ts'

const SIZE = 256
/** Identity matrices: every product of theirs is the identity again. */
const identity = () =>
  createTensor(
    'float32',
    [SIZE, SIZE],
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => Number(i % (SIZE + 1) === 0)),
  )

/** A session whose runs take some hundred milliseconds, and a binding for it. */
async function slow(t: Test, repeats = 400) {
  const session = await Session.create({ model: slowModel(repeats), intraOpThreads: 1 })
  t.teardown(() => session.dispose())
  const binding = session.createBinding()
  const y = createTensor('float32', [SIZE, SIZE])
  binding.bindInput('x', identity())
  binding.bindOutput('y', y)
  return { session, binding, y }
}

t.test('two bindings run at once on one session, each with its own numbers', async (t) => {
  const session = await Session.create({ model: addOneModel(), intraOpThreads: 1 })
  t.teardown(() => session.dispose())
  const made = [0, 100].map((start) => {
    const binding = session.createBinding()
    const x = createTensor('float32', [1000], new Float32Array(1000).fill(start))
    binding.bindInput('x', x)
    binding.bindOutput('y', x)
    return { binding, x }
  })
  for (let i = 0; i < 50; i++) {
    await Promise.all(made.map(({ binding }) => session.run(binding)))
  }
  t.ok(made[0]!.x.data.every((value) => value === 50))
  t.ok(made[1]!.x.data.every((value) => value === 150))
})

t.test('a binding is not used twice at once, nor changed under a run', async (t) => {
  const { session, binding, y } = await slow(t)
  const running = session.run(binding)
  const busy = { code: 'RUNTIME_ERROR', detail: /used by a run that has not ended/ }
  await t.rejects(session.run(binding), busy)
  t.throws(() => session.runSync(binding), busy)
  t.throws(() => binding.bindInput('x', y), busy)
  t.throws(() => binding.bindOutput('y', y), busy)
  t.throws(() => binding.bindOutputToCpu('y'), busy)
  t.throws(() => binding.outputs(), busy)
  t.throws(() => binding.clear(), busy)
  await running
  t.same(y.data, identity().data)
  await session.run(binding)
})

t.test('a binding of another session is refused', async (t) => {
  const [one, other] = [await slow(t, 1), await slow(t, 1)]
  await t.rejects(one.session.run(other.binding), {
    code: 'RUNTIME_ERROR',
    detail: /belongs to another session/,
  })
  await other.session.run(other.binding)
  t.same(other.y.data, identity().data)
})

t.test('the event loop is free during a run', async (t) => {
  const { session, binding } = await slow(t)
  let ticks = 0
  const timer = setInterval(() => ticks++, 2)
  await session.run(binding)
  clearInterval(timer)
  t.ok(ticks >= 3, `${ticks} ticks`)
})

t.test('a signal stops a run; the session and the binding go on', async (t) => {
  const { session, binding, y } = await slow(t, 4000)
  const cause = new Error('the client left')
  const abort = new AbortController()
  setTimeout(() => abort.abort(cause), 20)
  await t.rejects(session.run(binding, { signal: abort.signal }), {
    code: 'CANCELLED',
    detail: 'during the run',
    cause,
  })
  t.not(y.data[0], 1, 'it ended before the result')
  await t.rejects(session.run(binding, { signal: abort.signal }), {
    code: 'CANCELLED',
    detail: 'before the run began',
    cause,
  })
  const { session: short, binding: again, y: result } = await slow(t, 1)
  const quiet = new AbortController()
  await short.run(again, { signal: quiet.signal })
  quiet.abort()
  t.equal(result.data[0], 1, 'a signal that comes late does nothing')
})

t.test('one signal stops many runs', async (t) => {
  const { session, binding } = await slow(t, 4000)
  const second = session.createBinding()
  second.bindInput('x', identity())
  second.bindOutputToCpu('y')
  const abort = new AbortController()
  const runs = [binding, second].map((each) => session.run(each, { signal: abort.signal }))
  setTimeout(() => abort.abort(), 10)
  for (const { status, reason } of (await Promise.allSettled(runs)) as PromiseRejectedResult[]) {
    t.equal(status, 'rejected')
    t.match(reason, { code: 'CANCELLED' })
  }
  t.equal(second.outputs().size, 0, 'no output of a run that was stopped')
})
