/** Characters on the bundled model, through the whole server: they take offence, forgive, and live on elsewhere. */
import t, { type Test } from 'tap'
import { NpcLine, NpcSave, NpcState, NpcTemplateList, type NpcDefinition } from '../schemas/npcs.ts'
import { readConfig } from '../src/config.ts'
import { meterReply } from '../src/datasets/village/index.ts'
import { createServer } from '../src/wiring.ts'
import { pgliteHome } from './fixtures/databases.ts'
import { postJson } from './http/client.ts'

/** What players say to measure a mood by; none of it raises an event. */
const questions = [
  'Where is the smithy?',
  'How much is a lantern?',
  'Who is the mayor?',
  'Are there wolves near the village?',
  'How do I get to the inn?',
  'I want to buy a rope. How much is it?',
]
const seeds = [1, 2, 3]

async function serve(t: Test) {
  const home = await pgliteHome(t)
  const server = await createServer(readConfig({ model: ['village'], home }, {}), false)
  t.teardown(() => server.close())
  const { app } = server
  const get = async (url: string) => (await app.inject(`/v1/npcs${url}`)).json()
  const post = async (url: string, body: object) =>
    (await postJson(app, `/v1/npcs${url}`, body)).json()
  const say = async (id: string, body: object) =>
    NpcLine.parse(await post(`/${id}/say`, { measure: false, ...body }))
  const save = async (id: string) => NpcSave.parse(await get(`/${id}/save`))

  /** The means of the true meters over all questions and seeds, each asked a fresh copy of the character. */
  const measure = async (id: string) => {
    const saved = await save(id)
    const asks = questions.flatMap((message, i) =>
      seeds.map((seed) => ({ message, seed: seed * 100 + i })),
    )
    const lines = await Promise.all(
      asks.map(async (ask, i) => {
        await post('/load', { save: saved, id: `copy-${i}`, replace: true })
        return (await say(`copy-${i}`, ask)).line
      }),
    )
    const meters = lines.map(meterReply)
    const mean = (name: 'toxicity' | 'helpfulness'): number =>
      meters.reduce((sum, values) => sum + values[name], 0) / meters.length
    return { toxicity: mean('toxicity'), helpfulness: mean('helpfulness') }
  }
  return { app, get, post, say, save, measure }
}

const first = await serve(t)

/** A template whose time stands still, so that nothing fades while the test runs. */
async function template(
  get: (url: string) => Promise<unknown>,
  name: string,
): Promise<NpcDefinition> {
  const { data } = NpcTemplateList.parse(await get('/templates'))
  return { ...data.find(({ id }) => id === name)!.definition, clock: 'game' }
}

const insults = [
  'You are a useless guard.',
  'You are the worst guard I ever met.',
  'You look like a troll, idiot.',
]

t.test('a guard insulted three times gets ruder and less helpful, and recovers', async (t) => {
  const { get, post, say, measure } = first
  await post('', { id: 'torvald', definition: await template(get, 'guard') })
  const before = await measure('torvald')

  const answers = []
  for (const [seed, message] of insults.entries()) {
    answers.push(await say('torvald', { message, seed }))
    t.ok(answers.at(-1)!.events.includes('insulted'), message)
  }
  t.ok(answers.at(-1)!.actions.some(({ type }) => type === 'walk_away'))
  const angry = NpcState.parse(await get('/torvald/state'))
  t.match(angry.variables, { relation: { value: -3 } })
  t.match(angry.attributes, { helpfulness: 0, toxicity: 4 })
  const insulted = await measure('torvald')

  const soothed = NpcState.parse(await post('/torvald/events', { type: 'player.gave_gift' }))
  t.same(soothed.effects, [])
  const after = await measure('torvald')

  // 18 lines each. The model as of 2026-11 moves by 3.1 and 2.9 and comes back by 2.4 and 1.4.
  t.comment(JSON.stringify({ before, insulted, after }))
  t.ok(insulted.toxicity - before.toxicity >= 1.5, 'ruder')
  t.ok(before.helpfulness - insulted.helpfulness >= 1.5, 'less helpful')
  t.ok(insulted.toxicity - after.toxicity >= 1, 'politer after the gift')
  t.ok(after.helpfulness - insulted.helpfulness >= 0.6, 'more helpful after the gift')
})

t.test('left alone, he calms down', async (t) => {
  const { get, post } = first
  await post('', { id: 'lone', definition: await template(get, 'guard') })
  for (let i = 0; i < 3; i++) await post('/lone/events', { type: 'insulted', time: 100 })
  const at = async (time: number) => {
    await post('', { id: `probe-${time}`, definition: await template(get, 'guard') })
    await post('/load', { save: await get('/lone/save'), id: `probe-${time}`, replace: true })
    const state = await post(`/probe-${time}/events`, { type: 'player.killed_monster', time })
    return NpcState.parse(state).effects.filter(({ event }) => event === 'insulted').length
  }
  t.equal(await at(159), 6)
  t.equal(await at(160), 0)
})

t.test('saved, loaded by another server, he goes on with the same words', async (t) => {
  const definition = await template(first.get, 'guard')
  await first.post('', { id: 'traveller', definition })
  await first.say('traveller', { message: 'Good evening! Where is the smithy?', seed: 1 })
  await first.say('traveller', { message: 'You are a useless guard.', seed: 2 })
  await first.post('/traveller/interrupt', { heard: 12 })
  const document = JSON.stringify(await first.save('traveller'))

  const second = await serve(t)
  const response = await second.post('/load', { save: JSON.parse(document) as object })
  const next = { message: 'And how much is a lantern?', seed: 3 }
  const here = await first.say('traveller', next)
  const there = await second.say(response.id, next)
  t.equal(there.line, here.line)
  t.match(there, { exchange: 2, attributes: here.attributes, events: here.events, actions: here.actions }) // prettier-ignore
  t.same({ ...there.state, id: '', version: 0 }, { ...here.state, id: '', version: 0 })
})

t.test('a long talk forgets its beginning, never the persona, and never fails', async (t) => {
  const { get, post, say } = first
  const definition = { ...(await template(get, 'innkeeper')), memory: { reply_tokens: 200 } }
  await post('', { id: 'bram', definition })
  let line = await say('bram', { message: questions[0]!, seed: 0 })
  for (let i = 1; line.state.remembered_from === 0 && i < 40; i++) {
    line = await say('bram', { message: questions[i % questions.length]!, seed: i })
    t.ok(line.usage!.prompt_tokens <= 1024 - 200, `${line.usage!.prompt_tokens} tokens`)
  }
  t.ok(line.state.remembered_from > 0, `from ${line.state.remembered_from}`)
  t.ok(line.usage!.prompt_tokens <= 0.75 * (1024 - 200), `${line.usage!.prompt_tokens} tokens`)
})
