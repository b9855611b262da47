/** OpenAI's files, as its own SDK and as plain HTTP use them. */
import { readdirSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:net'
import OpenAI, { toFile } from 'openai'
import t from 'tap'
import { createDatasets } from '../../src/services/datasets.ts'
import { createFiles } from '../../src/services/files.ts'
import { hostTag } from '../../src/util/atomic-file.ts'
import { sha256 } from '../../src/util/hash.ts'
import {
  eventually,
  namesIn,
  openHandles,
  ratedRow,
  startUploadServer,
} from '../fixtures/uploads.ts'

const rows = ratedRow(1) + ratedRow(2)

const clientOf = (url: string) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })

const sharedIn = (home: string): string[] => readdirSync(join(home, 'files', '.content'))

t.test('the SDK creates, lists, retrieves, reads and deletes files', async (t) => {
  const { url, home } = await startUploadServer(t)
  const { files } = clientOf(url)
  const make = (name: string, text: string) => toFile(Buffer.from(text), name)
  const first = await files.create({ file: await make('rows.jsonl', rows), purpose: 'fine-tune' })
  t.match(first, {
    id: /^file-[0-9a-f]{24}$/,
    object: 'file',
    bytes: rows.length,
    filename: 'rows.jsonl',
    purpose: 'fine-tune',
    status: 'processed',
  })
  t.ok(Math.abs(first.created_at - Date.now() / 1000) < 60)
  const second = await files.create({ purpose: 'user_data', file: await make('ü (x).txt', 'y') })
  t.same(await files.retrieve(first.id), first)
  const all: string[] = []
  for await (const file of files.list({ limit: 1 })) all.push(file.id)
  t.same(all.sort(), [first.id, second.id].sort(), 'page by page')
  t.same(
    (await files.list({ purpose: 'fine-tune' })).data.map((file) => file.id),
    [first.id],
  )
  t.equal(await (await files.content(first.id)).text(), rows)
  const odd = await files.content(second.id)
  t.equal(
    odd.headers.get('content-disposition'),
    "attachment; filename*=UTF-8''%C3%BC%20%28x%29.txt",
  )
  await odd.text()
  t.same(await files.delete(first.id), { id: first.id, object: 'file', deleted: true })
  await t.rejects(files.retrieve(first.id), { status: 404, code: 'file_not_found' })
  await t.rejects(files.content(first.id), { name: 'Error', status: 404 })
  await t.rejects(files.delete(first.id), { name: 'Error', status: 404 })
  t.same(sharedIn(home), [sha256('y')])
  t.same(openHandles(home), [])
})

t.test(
  'the same content twice: two files, one copy on the disk, until both are gone',
  async (t) => {
    const { url, home } = await startUploadServer(t)
    const { files } = clientOf(url)
    const upload = async (name: string) =>
      files.create({ file: await toFile(Buffer.from(rows), name), purpose: 'fine-tune' })
    const made = await Promise.all(['a', 'b', 'c'].map(upload))
    t.equal(new Set(made.map((file) => file.id)).size, 3)
    const inodes = made.map(({ id }) => statSync(join(home, 'files', id, 'content')).ino)
    t.equal(new Set(inodes).size, 1)
    t.same(sharedIn(home), [sha256(rows)])
    await files.delete(made[0]!.id)
    await files.delete(made[1]!.id)
    t.equal(await (await files.content(made[2]!.id)).text(), rows)
    await files.delete(made[2]!.id)
    t.same(sharedIn(home), [])
    t.same(namesIn(home), [])
  },
)

t.test('a job on this machine gets a path, from which a data set can be made', async (t) => {
  const { app, url, home } = await startUploadServer(t)
  const { files } = clientOf(url)
  const { id } = await files.create({
    file: await toFile(Buffer.from(rows), 'rows.jsonl'),
    purpose: 'fine-tune',
  })
  const service = createFiles({ home })
  const opened = await service.open(id)
  t.match(opened, { filename: 'rows.jsonl', sha256: sha256(rows) })

  const set = await createDatasets({ home }).importFile({
    path: opened.path,
    fileName: opened.filename,
    name: 'from-file',
    format: 'chat',
  })
  t.match(set.manifest, {
    rows: 2,
    attributes: { humor: { mean: 1.5 } },
    source: { file: 'rows.jsonl', sha256: opened.sha256 },
  })
  const stats = await app.inject('/v1/datasets/from-file/stats')
  t.equal(stats.statusCode, 200)
})

t.test('what is not a file upload is refused and leaves nothing', async (t) => {
  const server = await startUploadServer(t, { maxUploadBytes: 1000 })
  const send = async (parts: [string, string | Blob][]) => {
    const form = new FormData()
    for (const [name, value] of parts) form.append(name, value)
    const response = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })
    return { status: response.status, text: await response.text() }
  }
  const file = new Blob(['{}'])
  const cases: [number, RegExp, [string, string | Blob][]][] = [
    [400, /purpose/, [['file', file]]],
    [
      400,
      /purpose/,
      [
        ['file', file],
        ['purpose', 'fun'],
      ],
    ],
    [400, /no file/, [['purpose', 'fine-tune']]],
    [
      400,
      /not supported/,
      [
        ['purpose', 'fine-tune'],
        ['file', file],
        ['expires_after[anchor]', 'created_at'],
      ],
    ],
    [
      413,
      /1000/,
      [
        ['purpose', 'fine-tune'],
        ['file', new Blob(['x'.repeat(300_000)])],
      ],
    ],
  ]
  for (const [status, message, parts] of cases) {
    const answer = await send(parts)
    t.equal(answer.status, status)
    t.match(answer.text, message)
  }
  const json = await server.app.inject({ method: 'POST', url: '/v1/files', payload: { a: 1 } })
  t.equal(json.statusCode, 415)
  for (const id of ['x', '..%2F..', 'file-', 'file-00000000', '.content']) {
    t.equal((await server.get(`/v1/files/${id}`)).status, 404, id)
    t.equal((await server.remove(`/v1/files/${id}`)).status, 404, id)
  }
  for (const query of ['limit=0', 'order=up', 'after=file-00000000', 'page=2']) {
    t.equal((await server.get(`/v1/files?${query}`)).status, 400, query)
  }
  t.same(namesIn(server.home), [])
})

t.test('an upload that is cut off leaves nothing', async (t) => {
  const { port, home } = await startUploadServer(t)
  const socket = connect({ host: '127.0.0.1', port })
  socket.write(
    'POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n' +
      'content-type: multipart/form-data; boundary=b\r\n\r\n' +
      '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' +
      ratedRow(1, 1000).repeat(500),
  )
  await eventually(() => namesIn(home).length === 1, 'something is written')
  socket.destroy()
  await eventually(() => namesIn(home).length === 0, 'it is removed')
  t.same(openHandles(home), [])
})

t.test('a start removes what a killed server left, shared content too', async (t) => {
  const { url, home } = await startUploadServer(t)
  const { id } = await clientOf(url).files.create({
    file: await toFile(Buffer.from(rows), 'rows.jsonl'),
    purpose: 'fine-tune',
  })
  const dir = join(home, 'files')
  // Killed between hiding a file and removing the shared copy of its content.
  await rename(join(dir, id), join(dir, `.${id}.${hostTag}-4194305-1.gone`))
  t.equal((await createFiles({ home }).sweep()).length, 2)
  t.same(namesIn(home), [])
  t.same(sharedIn(home), [])
})
