/** Data sets over HTTP: what goes in comes out, and every refusal says why. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import {
  namesIn,
  openHandles,
  ratedRow,
  readAnswer,
  startUploadServer,
} from '../fixtures/uploads.ts'
import { sha256 } from '../../src/util/hash.ts'

const rows = ratedRow(0) + ratedRow(2) + ratedRow(4)

t.test('an upload is stored, counted and described', async (t) => {
  const server = await startUploadServer(t)
  const { status, body } = await server.post('name=first', `${rows}{"oops"\n\n{"messages":[]}\n`)
  t.equal(status, 201)
  const now = Math.floor(Date.now() / 1000)
  t.match(body, {
    object: 'dataset',
    name: 'first',
    kind: 'conversations',
    rows: 3,
    sha256: sha256(rows),
    bytes: rows.length,
    quarantined: 2,
    attributes: { humor: { count: 3, mean: 2 } },
    source: { file: 'upload', format: 'records' },
  })
  t.ok(Math.abs(body.created_at - now) < 60)
  t.same((await server.get('/v1/datasets/first')).body, body)
  t.same((await server.get('/v1/datasets')).body, { object: 'list', data: [body], has_more: false })
  t.same((await server.get('/v1/datasets/first/quarantine')).body, {
    object: 'list',
    data: [
      {
        line: 4,
        reason: (await server.get('/v1/datasets/first/quarantine?limit=1')).body.data[0]!.reason,
        raw: '{"oops"',
      },
      {
        line: 6,
        reason: 'messages: Too small: expected array to have >=1 items',
        raw: '{"messages":[]}',
      },
    ],
    offset: 0,
    total: 2,
    has_more: false,
  })
})

t.test('rows come in pages', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=a', rows)
  const page = await server.get('/v1/datasets/a/rows?offset=1&limit=1')
  t.same(page.body, {
    object: 'list',
    data: [JSON.parse(ratedRow(2))],
    offset: 1,
    total: 3,
    has_more: true,
  })
  t.match((await server.get('/v1/datasets/a/rows?offset=2')).body, {
    data: { length: 1 },
    has_more: false,
  })
  t.same((await server.get('/v1/datasets/a/rows?offset=99')).body.data, [])
  t.same((await server.get('/v1/datasets/a/quarantine')).body.data, [])
  for (const query of ['limit=0', 'limit=x', 'offset=-1', 'limit=1001', 'page=1']) {
    const { status, body } = await server.get(`/v1/datasets/a/rows?${query}`)
    t.match([status, body.error.code], [400, 'bad_request'], query)
  }
})

t.test('a page of long rows ends early and says that rows follow', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=long', ratedRow(1, 3_000_000).repeat(4))
  const first = await server.get('/v1/datasets/long/rows?limit=4')
  t.match(first.body, { data: { length: 2 }, has_more: true })
  const second = await server.get('/v1/datasets/long/rows?limit=4&offset=2')
  t.match(second.body, { data: { length: 2 }, has_more: false })
})

t.test('statistics: from the upload, and counted for a set without them', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=a', rows)
  const { body } = await server.get('/v1/datasets/a/stats')
  t.match(body, {
    object: 'dataset.stats',
    name: 'a',
    sha256: sha256(rows),
    conversations: 3,
    rated_turns: 3,
    attributes: {
      humor: { count: 3, missing: 0, mean: 2, histogram: { 0: 1, 2: 1, 4: 1 }, other_levels: 0 },
    },
    correlations: { humor: { humor: 1 } },
    reply_characters: { min: 10, max: 10 },
  })
  const file = join(server.home, 'datasets', 'a', 'stats.json')
  for (const text of ['', '{"sha256":"other"}', (await readFile(file, 'utf8')).slice(0, -9)]) {
    await writeFile(file, text)
    t.same((await server.get('/v1/datasets/a/stats')).body, body, 'counted again')
  }
})

t.test('every format goes in, gzipped in every way', async (t) => {
  const server = await startUploadServer(t)
  const scores = { helpfulness: 3, correctness: 4, coherence: 4, complexity: 1, verbosity: 0 }
  const uploads = {
    tokens: { tokens: [1, 2], first_loss_token: 1 },
    helpsteer: { prompt: 'p', response: 'r', ...scores },
    nemo: { conversations: [{ from: 'Assistant', value: 'y', label: 'humor:2' }] },
    chat: { messages: [{ role: 'user', content: 'x' }] },
  }
  for (const [format, row] of Object.entries(uploads)) {
    const { status, body } = await server.post(
      `name=${format}&format=${format}`,
      JSON.stringify(row),
    )
    t.match([status, body.rows], [201, 1], format)
  }
  t.match((await server.get('/v1/datasets/tokens/stats')).body, { conversations: 0 })

  const packed = gzipSync(rows)
  const ways: Record<string, [Buffer, Record<string, string>]> = {
    type: [packed, { 'content-type': 'application/gzip' }],
    xtype: [packed, { 'content-type': 'application/x-gzip' }],
    encoding: [packed, { 'content-encoding': 'gzip' }],
    bytes: [packed, { 'content-type': 'application/octet-stream' }],
    curl: [packed, { 'content-type': 'application/x-www-form-urlencoded' }],
    twice: [gzipSync(packed), { 'content-type': 'application/gzip', 'content-encoding': 'gzip' }],
    parts: [Buffer.concat([gzipSync(ratedRow(0)), gzipSync(ratedRow(2) + ratedRow(4))]), {}],
  }
  for (const [name, [bytes, headers]] of Object.entries(ways)) {
    const { status, body } = await server.post(`name=${name}`, new Uint8Array(bytes), headers)
    t.match([status, body.sha256], [201, sha256(rows)], name)
  }
})

t.test('a form: fields before the file, whose name says nothing', async (t) => {
  const server = await startUploadServer(t)
  const send = async (parts: [string, string | Blob, string?][]) => {
    const form = new FormData()
    for (const [name, value, file] of parts) {
      if (typeof value === 'string') form.append(name, value)
      else form.append(name, value, file)
    }
    const response = await fetch(`${server.url}/v1/datasets`, { method: 'POST', body: form })
    return readAnswer(response)
  }
  const file = new Blob([rows])
  const good = await send([
    ['name', 'form'],
    ['format', 'records'],
    ['file', file, '../../etc/rows.ndjson'],
  ])
  t.match(good, { status: 201, body: { rows: 3, source: { file: 'rows.ndjson' } } })
  const packed = new Blob([new Uint8Array(gzipSync(rows))])
  t.match(
    await send([
      ['name', 'packed'],
      ['file', packed, 'rows.ndjson.gz'],
    ]),
    { status: 201 },
  )

  const refused: [RegExp, [string, string | Blob, string?][]][] = [
    [/name/, [['file', file, 'a.ndjson']]],
    [
      /overwrite: expected before the file/,
      [
        ['name', 'x'],
        ['file', file, 'a'],
        ['overwrite', 'true'],
      ],
    ],
    [/no file/, [['name', 'x']]],
    [
      /second file/,
      [
        ['name', 'x'],
        ['file', file, 'a'],
        ['file', file, 'b'],
      ],
    ],
    [
      /twice/,
      [
        ['name', 'x'],
        ['name', 'y'],
        ['file', file, 'a'],
      ],
    ],
    [
      /not supported/,
      [
        ['name', 'x'],
        ['colour', 'red'],
        ['file', file, 'a'],
      ],
    ],
    [
      /not a short text/,
      [
        ['name', 'x'.repeat(5000)],
        ['file', file, 'a'],
      ],
    ],
  ]
  for (const [message, parts] of refused) {
    const { status, body } = await send(parts)
    t.match(body.error.message, message)
    t.equal(status, 400)
  }
  t.same(namesIn(server.home).sort(), ['form', 'packed'])
})

t.test('a name is taken once, unless it is to be replaced', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=a', rows)
  const again = await server.post('name=a', ratedRow(1))
  t.match(again, { status: 409, body: { error: { code: 'already_exists', param: 'name' } } })
  t.match((await server.post('name=a&overwrite=true', 'junk')).status, 400)
  t.equal((await server.get('/v1/datasets/a')).body.rows, 3, 'a bad upload leaves the older set')
  t.match((await server.post('name=a&overwrite=true', ratedRow(1))).body, { rows: 1 })
  t.same(namesIn(server.home), ['a'])
})

t.test('bad names, formats and bodies are refused, and leave nothing', async (t) => {
  const server = await startUploadServer(t)
  for (const name of ['', '..', '.a', '../a', 'a/b', 'a\\b', '%00', 'a\nb', 'é', 'x'.repeat(101)]) {
    const { status, body } = await server.post(`name=${encodeURIComponent(name)}`, rows)
    t.match([status, body.error.param], [400, 'name'], JSON.stringify(name))
  }
  for (const path of ['..%2Fa', '%2e%2e%2fa', 'a%00', '%2Fetc%2Fpasswd']) {
    const { status } = await server.get(`/v1/datasets/${path}`)
    t.equal(status, 400, path)
    t.equal((await server.remove(`/v1/datasets/${path}`)).status, 400, path)
  }
  const cases: [string, string | Uint8Array<ArrayBuffer>, string, RegExp][] = [
    ['format=csv', rows, 'bad_request', /format/],
    ['overwrite=maybe', rows, 'bad_request', /overwrite/],
    ['colour=red', rows, 'bad_request', /colour/],
    ['', '', 'bad_record', /no rows/],
    ['', '\n\n', 'bad_record', /no rows/],
    ['', '[1]\n{"a":1}', 'bad_record', /line 1/],
    ['', '\0\0\0', 'bad_record', /line 1: the line is not JSON/],
    ['format=tokens', rows, 'bad_record', /no valid row of the format "tokens"/],
    ['', new Uint8Array(gzipSync(rows).subarray(0, 40)), 'bad_file', /gzip/],
    ['', new Uint8Array([0x1f, 0x8b, 1, 2, 3, 4]), 'bad_file', /gzip/],
  ]
  for (const [query, body, code, message] of cases) {
    const answer = await server.post(`name=x&${query}`, body)
    t.equal(answer.status, 400, message.source)
    t.match(answer.body.error, { code, message })
  }
  const corrupt = gzipSync(Buffer.from(rows.repeat(1000)))
  corrupt[60]! ^= 0xff
  t.match(await server.post('name=x', new Uint8Array(corrupt)), { status: 400 })
  const plain = await server.post('name=x', rows, { 'content-type': 'application/gzip' })
  t.match(plain.body.error, { code: 'bad_file', message: /not a gzip file/ })
  const elsewhere = await server.post('name=x', rows, { 'sec-fetch-site': 'cross-site' })
  t.match(elsewhere, { status: 400, body: { error: { message: /another site/ } } })
  t.same(namesIn(server.home), [])
})

t.test('downloads: as stored, gzipped for who takes it, and as NeMo rows', async (t) => {
  const server = await startUploadServer(t)
  await server.post('name=a', rows)
  const get = (query: string, accept: string) =>
    server.app.inject({
      url: `/v1/datasets/a/download${query}`,
      headers: { 'accept-encoding': accept },
    })
  const plain = await get('', 'identity')
  t.equal(plain.body, rows)
  t.match(plain.headers, {
    'content-type': 'application/x-ndjson',
    'content-length': String(rows.length),
    'content-disposition': 'attachment; filename="a.ndjson"',
  })
  const packed = await get('', 'br, gzip;q=0.5')
  t.equal(packed.headers['content-encoding'], 'gzip')
  t.equal(gunzipSync(packed.rawPayload).toString(), rows)
  t.notOk((await get('', 'gzip;q=0')).headers['content-encoding'])
  const nemo = await get('?format=nemo', '')
  t.equal(nemo.headers['content-disposition'], 'attachment; filename="a.nemo.jsonl"')
  const first = JSON.parse(nemo.body.split('\n')[0]!)
  t.match(first, { conversations: [{ from: 'User' }, { label: 'humor:0' }] })
  t.equal((await server.post('name=b&format=nemo', nemo.body)).body.rows, 3, 'and back in')
  t.match(await server.get('/v1/datasets/a/download?format=csv'), { status: 400 })
  await server.post('name=ids&format=tokens', '{"tokens":[1,2],"first_loss_token":1}')
  t.match(await server.get('/v1/datasets/ids/download?format=nemo'), { status: 400 })
  t.same(openHandles(server.home), [])
})

t.test('unknown sets are 404, other methods 405', async (t) => {
  const server = await startUploadServer(t)
  for (const path of ['', '/rows', '/stats', '/quarantine', '/download']) {
    const { status, body } = await server.get(`/v1/datasets/none${path}`)
    t.match([status, body.error.code], [404, 'dataset_not_found'], path)
  }
  t.match(await server.remove('/v1/datasets/none'), { status: 404 })
  const put = await server.app.inject({ method: 'PUT', url: '/v1/datasets/none' })
  t.equal(put.statusCode, 405)
})

t.test('a set in use is neither deleted nor replaced', async (t) => {
  let user: string | null = 'job 17'
  const server = await startUploadServer(t, {
    isInUse: async (name) => (name === 'a' ? user : null),
  })
  await server.post('name=a', rows)
  const inUse = { status: 409, body: { error: { code: 'in_use', message: /job 17/ } } }
  t.match(await server.remove('/v1/datasets/a'), inUse)
  t.match(await server.post('name=a&overwrite=true', ratedRow(1)), inUse)
  user = null
  t.match(await server.remove('/v1/datasets/a'), {
    status: 200,
    body: { object: 'dataset', name: 'a', deleted: true },
  })
  t.same(namesIn(server.home), [])
})

t.test('a job that begins during an upload keeps the set it has', async (t) => {
  let asked = 0
  const server = await startUploadServer(t, { isInUse: async () => (++asked > 1 ? 'job 1' : null) })
  await server.post('name=a', rows)
  t.match(await server.post('name=a&overwrite=true', ratedRow(1)), { status: 409 })
  t.equal(asked, 2)
  t.equal((await server.get('/v1/datasets/a')).body.rows, 3)
  t.same(namesIn(server.home), ['a'])
})

t.test('a read that is under way goes on when its set is deleted or replaced', async (t) => {
  const server = await startUploadServer(t)
  for (const end of ['delete', 'replace']) {
    const text = ratedRow(1, 100_000).repeat(300)
    await server.post('name=a&overwrite=true', text)
    const response = await fetch(`${server.url}/v1/datasets/a/download`, {
      headers: { 'accept-encoding': 'identity' },
    })
    const reader = response.body!.getReader()
    let length = (await reader.read()).value!.length
    const done =
      end === 'delete'
        ? await server.remove('/v1/datasets/a')
        : await server.post('name=a&overwrite=true', ratedRow(2))
    t.ok(done.status < 300)
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length
    }
    t.equal(length, text.length, end)
  }
})

t.test('a Parquet file by its content, a table by its map, chosen rows by a column', async (t) => {
  const server = await startUploadServer(t)
  const parquet = join(import.meta.dirname, '../fixtures/parquet/oasst-messages.snappy.parquet')
  const bytes = new Uint8Array(await readFile(parquet))
  const stored = await server.post('name=p&format=oasst', bytes)
  t.match(stored, { status: 201, body: { rows: 2, quarantined: 0, source: { format: 'oasst' } } })
  t.match(stored.body, { source: { sha256: sha256(bytes) } })
  const csv = 'text,V,split\nhello,3.5,train\nbye,NaN,train\nno,1,test\n'
  const query = 'format=columns&file_type=csv&map=response=text,valence=V&where=split=train'
  t.match(await server.post(`name=c&${query}`, csv), {
    status: 201,
    body: {
      rows: 1,
      quarantined: 1,
      attributes: { valence: { mean: 3.5 } },
      source: { leftOut: 1 },
    },
  })
  t.match(await server.get('/v1/datasets/c/quarantine'), {
    body: { data: [{ line: 3, reason: /valence: expected a number/ }] },
  })
  const pair = '{"prompt":"p","chosen":"a","rejected":"b"}'
  t.match(await server.post('name=d&format=pairs', pair), { body: { kind: 'preferences' } })
  t.match(await server.get('/v1/datasets/d/rows'), { body: { data: [{ replies: [{}, {}] }] } })
  t.same(namesIn(server.home), ['c', 'd', 'p'])
})

t.test('what an import cannot work with is refused, and nothing stays', async (t) => {
  const server = await startUploadServer(t)
  const parquet = join(import.meta.dirname, '../fixtures/parquet/helpsteer.zstd.parquet')
  const cut = new Uint8Array((await readFile(parquet)).subarray(0, -20))
  const cases: [
    query: string,
    body: string | Uint8Array<ArrayBuffer>,
    code: string,
    what: RegExp,
  ][] = [
    ['format=helpsteer', cut, 'bad_file', /no footer/],
    ['format=columns', rows, 'bad_argument', /map/],
    ['format=columns&map=x', rows, 'bad_argument', /name=value/],
    ['where=humor', rows, 'bad_argument', /name=value/],
    ['attributes=none', rows, 'bad_argument', /attribute set/],
    ['attributes=helpsteer', rows, 'bad_record', /"humor": expected one of helpfulness/],
    ['file_type=csv', 'a,b\n"', 'bad_file', /CSV/],
    ['file_type=json', '[{}', 'bad_file', /end before/],
    ['format=helpsteer&where=lang=en', rows, 'bad_record', /3 were left out/],
  ]
  for (const [query, body, code, what] of cases) {
    const { status, body: answer } = await server.post(`name=x&${encodeURI(query)}`, body)
    t.equal(status, 400, query)
    t.match(answer.error, { code, message: what }, query)
  }
  t.same(namesIn(server.home), [])
})
