import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { withBusySignal } from '../../src/services/busy-signal.ts'
import { createGenerator } from '../../src/services/generator.ts'
import { createModels } from '../../src/services/models.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

t.test('busy from the first event to the last, but not while nobody reads', async (t) => {
  const models = createModels(() => [fakeLanguageModel(['a', 'b', 'c'])])
  const heard: boolean[] = []
  const generator = withBusySignal(createGenerator(models), (busy) => heard.push(busy), 20)
  const prompts = [{ messages: [{ role: 'user' as const, content: 'Hi' }], attributes: {} }]
  const request = { model: 'village', prompts, n: 1, options: {}, measure: false }
  let count = 0
  for await (const _event of generator.stream(request)) {
    count += 1
    if (count === 1) t.same(heard, [true])
    if (count !== 3) continue
    await sleep(60)
    t.same(heard, [true, false], 'a pause')
  }
  t.same(heard, [true, false, true, false])
  heard.length = 0
  for await (const _event of generator.stream(request)) {
    await sleep(40)
    break
  }
  t.equal(heard.at(-1), false, 'a reader that leaves out of a pause leaves it so')
})
