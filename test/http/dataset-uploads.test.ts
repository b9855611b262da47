/** Large, broken and hostile uploads: memory stays bounded, nothing is left half-written, the server lives. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createGzip, gzipSync } from 'node:zlib'
import t from 'tap'
import {
  endlessRows,
  eventually,
  namesIn,
  openHandles,
  openUpload,
  ratedRow,
  startUploadServer,
  uploadFromChild,
} from '../fixtures/uploads.ts'
import { maxLineBytes } from '../../src/util/ndjson.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is in use: the resident size of a process also counts garbage, which V8 lets grow to some 100 MB. */
function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

t.test('an upload of 60 MB holds a few of them in memory', async (t) => {
  const held: number[] = []
  const server = await startUploadServer(t, { onProgress: () => held.push(heldBytes()) })
  // Compiled code and pooled buffers are some 8 MB once, whatever the size of an upload.
  await uploadFromChild(server.port, '/v1/datasets?name=warm', 12e6)
  held.length = 0
  const before = heldBytes()
  const answer = await uploadFromChild(server.port, '/v1/datasets?name=large', 60e6)
  t.match(answer, /^201 .*"rows":5\d{4}/)
  t.equal(held.length, 5, 'it was looked at')
  const grown = Math.round((Math.max(...held) - before) / 1e6)
  t.ok(grown < 6, `${grown} MB more`)
})

t.test('an upload that is cut off leaves nothing', async (t) => {
  const server = await startUploadServer(t)
  const upload = await openUpload(server.port, '/v1/datasets?name=cut')
  upload.write(ratedRow(1, 1000).repeat(2000))
  await eventually(() => namesIn(server.home).length === 1, 'something is written')
  t.match(namesIn(server.home)[0], /^\.cut\..*\.part$/, 'out of sight')
  upload.destroy()
  await eventually(() => namesIn(server.home).length === 0, 'it is removed')
  t.same(openHandles(server.home), [])
  t.equal((await server.get('/v1/datasets/cut')).status, 404)
})

t.test('so does a client that closes its half after fewer bytes than it promised', async (t) => {
  const server = await startUploadServer(t)
  const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(`POST /v1/datasets?name=half HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n`)
  socket.end(ratedRow(1).repeat(3))
  socket.resume()
  await once(socket, 'close')
  await eventually(() => namesIn(server.home).length === 0, 'it is removed')
  t.equal((await server.get('/v1/datasets/half')).status, 404)
})

t.test('and one that sends nothing any more', async (t) => {
  const server = await startUploadServer(t, { uploadIdleMs: 150 })
  const upload = await openUpload(server.port, '/v1/datasets?name=idle')
  const closed = new Promise((resolve) => upload.once('close', resolve))
  upload.write(ratedRow(1))
  await closed
  await eventually(() => namesIn(server.home).length === 0, 'it is removed')
})

t.test('a form that is cut off leaves nothing', async (t) => {
  const server = await startUploadServer(t)
  const head =
    '--b\r\ncontent-disposition: form-data; name="name"\r\n\r\ncut\r\n' +
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
  const start = (length: number) =>
    `POST /v1/datasets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${length}\r\n\r\n${head}`
  const socket = connect({ host: '127.0.0.1', port: server.port })
  socket.write(start(1e9) + ratedRow(1, 1000).repeat(500))
  await eventually(() => namesIn(server.home).length === 1, 'something is written')
  socket.destroy()
  await eventually(() => namesIn(server.home).length === 0, 'it is removed')

  // The body is whole, but the form in it has no end.
  const unfinished = connect({ host: '127.0.0.1', port: server.port })
  unfinished.write(start(head.length + ratedRow(1).length) + ratedRow(1))
  const [answer] = (await once(unfinished, 'data')) as [Buffer]
  t.match(String(answer), /^HTTP\/1\.1 400 [\s\S]*the form is not valid/)
  unfinished.destroy()
  t.same(namesIn(server.home), [])
  t.same(openHandles(server.home), [])
})

t.test('a storm of uploads that break at any moment leaks no file and no handle', async (t) => {
  const server = await startUploadServer(t)
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const upload = await openUpload(server.port, `/v1/datasets?name=storm${i % 7}&overwrite=true`)
      for (let block = 0; block < i % 5; block += 1) {
        upload.write(ratedRow(1, 1000).repeat(20 * (i % 3)))
        await new Promise((resolve) => setImmediate(resolve))
      }
      upload.destroy()
    }),
  )
  await eventually(() => namesIn(server.home).length === 0, 'all is removed')
  await eventually(() => openHandles(server.home).length === 0, 'all is closed')
  t.equal((await server.post('name=storm1', ratedRow(1))).status, 201)
})

t.test('of several uploads of one name at once exactly one is taken', async (t) => {
  const server = await startUploadServer(t)
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => server.post('name=one', ratedRow(i).repeat(i + 1))),
  )
  const taken = answers.filter((answer) => answer.status === 201)
  t.equal(taken.length, 1)
  t.equal(answers.filter((answer) => answer.status === 409).length, 7)
  t.equal((await server.get('/v1/datasets/one')).body.sha256, taken[0]!.body.sha256)
  t.same(namesIn(server.home), ['one'])
})

t.test('of several replacements all succeed, and readers never miss the set', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=one', ratedRow(0))
  const writing = new AbortController()
  const reading = (async () => {
    let reads = 0
    for (; !writing.signal.aborted; reads += 1) {
      const paths = ['', '/rows', '/stats', '/download?format=records']
      const response = await fetch(`${server.url}/v1/datasets/one${paths[reads % 4]}`)
      const text = await response.text()
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`)
    }
    return reads
  })()
  for (let round = 0; round < 3; round += 1) {
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) => server.post('name=one&overwrite=true', ratedRow(i))),
    )
    t.same(
      answers.map((answer) => answer.status),
      [201, 201, 201, 201],
    )
  }
  writing.abort()
  t.ok((await reading) > 5)
  t.same(namesIn(server.home), ['one'])
})

t.test('more data than allowed is refused, counted after gunzipping', async (t) => {
  const server = await startUploadServer(t, { maxUploadBytes: 1e6 })
  const tooLarge = { status: 413, body: { error: { code: 'body_too_large', message: /1000000/ } } }
  t.match(await server.post('name=x', endlessRows(5e6)), tooLarge, 'the answer comes all the same')
  const bomb = gzipSync(Buffer.alloc(20e6, 10))
  t.ok(bomb.length < 30_000)
  t.match(await server.post('name=x', new Uint8Array(bomb)), tooLarge)
  t.match(await server.post('name=x', new Uint8Array(gzipSync(bomb))), tooLarge, 'twice')
  t.equal((await server.post('name=x', ratedRow(1, 900_000))).status, 201, 'just below')
  t.same(namesIn(server.home), ['x'])
})

t.test('a refused upload leaves its connection usable', async (t) => {
  const server = await startUploadServer(t, { maxUploadBytes: 1e5 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ask = (method: string, path: string, headers: Record<string, string>, body: Buffer[]) =>
    new Promise<string>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: server.port, agent, method, path, headers }
      const asked = request(options, (response) => {
        const answer = `${response.statusCode} from ${asked.socket!.localPort}`
        response.resume().once('end', () => resolve(answer))
      })
      asked.once('error', reject)
      Readable.from(body).pipe(asked)
    })
  const rows = Array.from({ length: 40 }, () => Buffer.from(ratedRow(1, 1000).repeat(64)))
  const noise = Array.from({ length: 40 }, () => randomBytes(60_000))
  const packed = await blocksOf(Readable.from(noise).pipe(createGzip()))
  const form = [
    '--b\r\ncontent-disposition: form-data; name="name"\r\n\r\nx\r\n',
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n',
  ].map((text) => Buffer.from(text))
  const end = Buffer.from('\r\n--b--\r\n')
  const type = { 'content-type': 'multipart/form-data; boundary=b' }
  const wanted: [number, string, Record<string, string>, Buffer[]][] = [
    [413, '/v1/datasets?name=x', {}, rows],
    [413, '/v1/datasets?name=x', {}, packed],
    [413, '/v1/datasets', type, [...form, ...rows, end]],
    [400, '/v1/datasets?name=..', {}, rows],
    [400, '/v1/datasets?format=none', type, [...form, ...rows, end]],
  ]
  const first = await ask('GET', '/v1/datasets', {}, [])
  for (const [status, path, headers, body] of wanted) {
    t.match(await ask('POST', path, headers, body), String(status))
    t.equal(await ask('GET', '/v1/datasets', {}, []), first, 'on the same connection')
  }
})

async function blocksOf(stream: Readable): Promise<Buffer[]> {
  const blocks: Buffer[] = []
  for await (const block of stream) blocks.push(block as Buffer)
  return blocks
}

t.test(
  'lines without end, bytes that are no text and deep or wide rows are set aside',
  async (t) => {
    const server = await startUploadServer(t)
    const deep = `{"messages":${'['.repeat(1e5)}${']'.repeat(1e5)}}`
    const deepMeta = ratedRow(1).replace('{', `{"meta":{"a":${'['.repeat(500)}${']'.repeat(500)}},`)
    const wide = `{"messages":[${'{},'.repeat(300_000)}{}]}`
    const keys = Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join()
    const body = Buffer.concat([
      Buffer.from(`${ratedRow(1)}"${'x'.repeat(maxLineBytes)}"\n`),
      Buffer.from([0x7b, 0xff, 0xfe, 0x0a]),
      Buffer.from(`${deep}\n${deepMeta}${wide}\n${'\0'.repeat(100)}\n{${keys}}\n`),
      Buffer.from(`${ratedRow(1e300)}${ratedRow(2)}`),
    ])
    const answer = await server.post('name=odd', new Uint8Array(body))
    t.match([answer.status, answer.body.rows, answer.body.quarantined], [201, 2, 8])
    const { data } = (await server.get('/v1/datasets/odd/quarantine')).body
    t.match(data, [
      { line: 2, reason: /longer than/ },
      { line: 3, reason: /not UTF-8/ },
      { line: 4, reason: /deeper than 100/ },
      { line: 5, reason: /deeper than 100/ },
      { line: 6, reason: /more than 200000 members/ },
      { line: 7, reason: /not JSON/ },
      { line: 8, reason: /messages/ },
      { line: 9, reason: /attributes\.humor/ },
    ])
    t.ok(JSON.stringify(data).length < 25_000, 'raw texts and reasons are cut')
  },
)

t.test('a set has at most 64 attributes', async (t) => {
  const server = await startUploadServer(t)
  const row = (name: string) => ratedRow(1).replace('humor', name)
  const body = Array.from({ length: 70 }, (_, i) => row(`a${i}`)).join('') + row('a3')
  const answer = await server.post('name=many', body)
  t.match(answer.body, { rows: 65, quarantined: 6 })
  t.match((await server.get('/v1/datasets/many/quarantine')).body.data[0], {
    line: 65,
    reason: /at most 64 attributes; one too many: "a64"/,
  })
})

t.test('a disk with too little left is said to be full before anything is written', async (t) => {
  const server = await startUploadServer(t, { reserveBytes: Number.MAX_SAFE_INTEGER })
  const answer = await server.post('name=x', endlessRows(1e6))
  t.match(answer, { status: 507, body: { error: { code: 'disk_full', type: 'server_error' } } })
  const form = new FormData()
  form.append('purpose', 'fine-tune')
  form.append('file', new Blob(['{}']), 'a.jsonl')
  const file = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })
  t.equal(file.status, 507)
  t.same(namesIn(server.home), [])
})

t.test('what a killed server left is removed at the next start, and only that', async (t) => {
  const home = t.testdir()
  const dir = join(home, 'datasets')
  const first = await startUploadServer(t, { home })
  await first.post('name=kept', ratedRow(1))
  const upload = await openUpload(first.port, '/v1/datasets?name=live')
  upload.write(ratedRow(1, 1000).repeat(500))
  await eventually(() => namesIn(home).length === 2, 'something is written')
  const live = namesIn(home).find((name) => name.endsWith('.part'))!
  const dead = (name: string, kind: string) =>
    `.${name}.${live.replace(/^\.live\.([0-9a-f]+)-\d+-\d+\.part$/, '$1')}-4194305-1.${kind}`
  const alive = dead('other', 'part').replace('-4194305-', `-${process.ppid}-`)
  const elsewhere = '.far.0123abcd-4194305-1.part'
  for (const name of [dead('a', 'part'), dead('b', 'gone'), dead('c', 'old'), alive, elsewhere]) {
    await mkdir(join(dir, name))
    await writeFile(join(dir, name, 'records.ndjson'), 'half')
  }
  await mkdir(join(dir, dead('kept', 'old')))
  await writeFile(join(dir, '.note.part'), 'a file of the user')
  upload.destroy()
  await eventually(() => !namesIn(home).includes(live), 'the live one is removed')

  const { createDatasets } = await import('../../src/services/datasets.ts')
  const swept = await createDatasets({ home }).sweep()
  t.equal(swept.length, 4)
  t.same(
    readdirSync(dir).sort(),
    [alive, elsewhere, '.note.part', 'c', 'kept'].sort(),
    'a set whose replacement was not finished is back',
  )
  await rm(home, { recursive: true })
})

t.test(
  'a disk that fills up: DISK_FULL, nothing half-written, and the server goes on',
  async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'steerlm-full-'))
    t.teardown(() => rm(home, { recursive: true, force: true }))
    if (!mountTinyDisk(home))
      return t.comment('skipped: mounting a small file system takes root on Linux')
    t.teardown(() => void spawnSync('umount', ['-l', home]))
    const server = await startUploadServer(t, { home, reserveBytes: 0 })
    t.equal((await server.post('name=small', ratedRow(1))).status, 201)
    const full = { status: 507, body: { error: { code: 'disk_full' } } }
    t.match(await server.post('name=large', endlessRows(8e6)), full)
    t.match(await server.post('name=small&overwrite=true', endlessRows(8e6)), full)
    const form = new FormData()
    form.append('file', new Blob(['x'.repeat(8e6)]), 'a.jsonl')
    form.append('purpose', 'fine-tune')
    const file = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form })
    t.equal(file.status, 507)
    t.same(namesIn(home), ['small'])
    t.equal((await server.get('/v1/datasets/small')).body.rows, 1, 'the older set stays')
    t.equal((await server.post('name=after', ratedRow(1, 1e6))).status, 201, 'there is space again')
    t.same(openHandles(home), [])
  },
)

/** 4 MB at `dir`; false where that is not allowed. */
function mountTinyDisk(dir: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir]).status === 0
}
