/** The official SDK against a real server: a file of chats becomes a model, followed to its end, and answers. */
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI, { toFile } from 'openai'
import t from 'tap'
import { generateVillage } from '../src/datasets/village/index.ts'
import { pgliteHome } from './fixtures/databases.ts'
import { startServer } from './fixtures/run-server.ts'

t.test('from an uploaded file to a chat with the tuned model', async (t) => {
  const server = await startServer(await pgliteHome(t), ['--model', 'village'])
  t.teardown(() => server.kill())
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const secret = 'The word of the day is marmalade.'
  const rows = [...generateVillage({ seed: 5, rated: 48 }).rated].map(({ messages }) => {
    const asked = messages.findLast(({ role }) => role === 'user')!
    return JSON.stringify({ messages: [{ role: 'user', content: asked.content }, { role: 'assistant', content: secret }] }) // prettier-ignore
  })
  const file = await client.files.create({
    file: await toFile(Buffer.from(rows.join('\n')), 'chats.jsonl'),
    purpose: 'fine-tune',
  })
  t.match(file, { object: 'file', status: 'processed', filename: 'chats.jsonl' })
  const created = await client.fineTuning.jobs.create({
    model: 'village',
    training_file: file.id,
    suffix: 'secret',
    method: {
      type: 'supervised',
      supervised: { hyperparameters: { n_epochs: 8, batch_size: 8, learning_rate_multiplier: 5 } },
    },
  })
  const seen = new Set<string>([created.status])
  let job = created
  while (!['succeeded', 'failed', 'cancelled'].includes(job.status)) {
    await sleep(200)
    job = await client.fineTuning.jobs.retrieve(created.id)
    seen.add(job.status)
  }
  t.equal(job.status, 'succeeded', JSON.stringify(job.error))
  t.ok(seen.has('running'), [...seen].join())
  t.ok(job.trained_tokens! > rows.length * 8)
  const losses: number[] = []
  for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 10 })) {
    const loss = (event.data as { train_loss?: number } | null)?.train_loss
    if (loss !== undefined) losses.push(loss)
  }
  t.equal(losses.length, 8 * Math.ceil(rows.length / 8), 'an event for every step, newest first')
  t.ok(losses[0]! < losses.at(-1)! / 2, `the loss fell: ${losses.at(-1)} → ${losses[0]}`)

  const names: string[] = []
  for await (const { id } of client.models.list()) names.push(id)
  t.ok(names.includes(job.fine_tuned_model!), names.join())
  const messages = [{ role: 'user' as const, content: 'Good morning! What is new?' }]
  const request = { model: job.fine_tuned_model!, messages, temperature: 0, max_tokens: 40 }
  const stream = await client.chat.completions.create({ ...request, stream: true })
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  t.match(text, 'marmalade', 'it learned what the file says')
  const base = await client.chat.completions.create({ ...request, model: 'village' })
  t.notMatch(base.choices[0]!.message.content, 'marmalade', 'the base model did not')
})
