import t from 'tap'
import { WaitingQueue } from '../../src/engine/waiting-queue.ts'

interface Item {
  owner: string
  name: string
}

/** A queue with a clock that stands until it is moved. */
function createQueue(): {
  queue: WaitingQueue<Item>
  clock: { ms: number }
  add: (owner: string, name: string, priority?: number) => Item
  /** Takes one, charges it, ends it. */
  serve: (tokens: number) => string | undefined
} {
  const clock = { ms: 0 }
  const queue = new WaitingQueue<Item>({ ageingMs: 1000, now: () => clock.ms })
  return {
    queue,
    clock,
    add(owner, name, priority = 0) {
      const item = { owner, name }
      queue.add(item, { owner, priority })
      return item
    },
    serve(tokens) {
      const item = queue.peek()
      if (!item) return undefined
      const account = queue.take(item)
      account.charge(tokens)
      account.close()
      return item.name
    },
  }
}

t.test('one owner alone is served in the order of coming', async (t) => {
  const { queue, add, serve } = createQueue()
  for (const name of ['a', 'b', 'c']) add('one', name)
  t.equal(queue.size, 3)
  t.same([serve(5), serve(5), serve(5), serve(5)], ['a', 'b', 'c', undefined])
  t.equal(queue.size, 0)
})

t.test('a hundred requests of one owner stand in front of nobody else', async (t) => {
  const { add, serve, clock } = createQueue()
  for (let i = 0; i < 100; i += 1) add('flood', `flood ${i}`)
  serve(50)
  serve(50)
  clock.ms = 60_000
  add('other', 'single')
  t.equal(serve(10), 'single')
})

t.test('owners share by tokens, not by requests', async (t) => {
  const { queue, add } = createQueue()
  for (let i = 0; i < 60; i += 1) {
    add('long', 'long')
    add('short', 'short')
  }
  const tokens: Record<string, number> = { long: 0, short: 0 }
  for (let i = 0; i < 44; i += 1) {
    const item = queue.peek()!
    const account = queue.take(item)
    const cost = item.owner === 'long' ? 100 : 10
    account.charge(cost)
    account.close()
    tokens[item.owner]! += cost
  }
  t.ok(Math.abs(tokens.long! - tokens.short!) <= 100, JSON.stringify(tokens))
})

t.test('an owner that paused has saved nothing', async (t) => {
  const { add, serve } = createQueue()
  for (let i = 0; i < 20; i += 1) add('busy', 'busy')
  for (let i = 0; i < 10; i += 1) serve(100)
  for (let i = 0; i < 10; i += 1) add('late', 'late')
  const order = Array.from({ length: 10 }, () => serve(100))
  t.equal(order[0], 'late')
  t.equal(order.filter((name) => name === 'late').length, 5, order.join())
})

t.test('lower numbers come first, within an owner and across owners', async (t) => {
  const { add, serve } = createQueue()
  add('a', 'a later', 3)
  add('a', 'a first', -1)
  add('b', 'b', 0)
  t.same([serve(9), serve(9), serve(9)], ['a first', 'b', 'a later'])
})

t.test('a flood of urgent requests leaves the others a turn per levels waited', async (t) => {
  const { add, serve, clock } = createQueue()
  for (let i = 0; i < 200; i += 1) add('urgent', 'urgent', -5)
  for (let i = 0; i < 5; i += 1) add('patient', 'patient', 0)
  const turns: number[] = []
  for (let i = 0; i < 100; i += 1) {
    clock.ms += 250
    if (serve(10) === 'patient') turns.push(clock.ms)
  }
  t.equal(turns.length, 5, 'in 25 s, one per 5 levels of 1 s')
  t.ok(
    turns.every((ms, i) => ms - (turns[i - 1] ?? 0) <= 5500),
    turns.join(),
  )
})

t.test('old requests of a flood do not age past a newcomer', async (t) => {
  const { add, serve, clock } = createQueue()
  for (let i = 0; i < 10; i += 1) add('flood', 'flood', 2)
  serve(10)
  clock.ms = 30_000
  add('other', 'urgent', 0)
  add('third', 'as patient', 2)
  t.equal(serve(10), 'urgent', 'equal levels now, but it got less')
  t.equal(serve(10), 'as patient')
})

t.test('what is removed does not come', async (t) => {
  const { queue, add, serve } = createQueue()
  const gone = add('a', 'gone')
  add('a', 'stays')
  t.equal(queue.remove(gone), true)
  t.equal(queue.remove(gone), false)
  t.same(
    queue.items().map(({ name }) => name),
    ['stays'],
  )
  t.equal(queue.peek()?.name, 'stays')
  t.equal(serve(1), 'stays')
})

t.test('owners that left are forgotten, debts are not', async (t) => {
  const { queue, add, serve } = createQueue()
  add('debtor', 'debtor')
  serve(1_000_000)
  for (let i = 0; i < 3000; i += 1) {
    add(`passer-by ${i}`, 'x')
    serve(1)
  }
  add('debtor', 'debtor')
  add('new', 'new')
  t.equal(serve(1), 'new')
  t.equal(queue.size, 1)
})
