import { readFile } from 'node:fs/promises'
import t from 'tap'
import { SteerError, catalogue, fail, type ErrorCode } from '../src/errors.ts'
import { toErrorResponse, wireCode } from '../src/http/error-response.ts'

t.test('docs/errors.md lists exactly the catalogue', async (t) => {
  const text = await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8')
  const row = /^\| `([A-Z_]+)` \| `([a-z_]+)` \| (\d{3}) \| `([a-z_]+)` \| (.+?) +\|/gm
  const documented = [...text.replace(/ +\|/g, ' |').matchAll(row)].map(([, ...cells]) => cells)
  const expected = Object.entries(catalogue).map(([code, [status, type, title]]) => [
    code,
    wireCode(code as ErrorCode),
    String(status),
    type,
    title,
  ])
  t.same(documented, expected)
})

t.test('an error knows its status and type, and keeps cause and param', async (t) => {
  const cause = new Error('inner')
  const error = t.throws(() => fail('MODEL_NOT_FOUND', '"x"', { cause, param: 'model' }))
  t.ok(error instanceof SteerError)
  t.match(error, {
    message: 'No such model: "x"',
    status: 404,
    type: 'invalid_request_error',
    cause,
    param: 'model',
  })
})

t.test('4xx tell their detail, 5xx only their title', async (t) => {
  for (const code of Object.keys(catalogue) as ErrorCode[]) {
    const { status, body } = toErrorResponse(new SteerError(code, 'the detail', { param: 'p' }))
    const [wanted, , title] = catalogue[code]
    t.equal(status, wanted)
    t.equal(body.error.message, wanted >= 500 ? title : `${title}: the detail`, code)
    t.equal(body.error.param, wanted >= 500 ? null : 'p')
  }
})

t.test('anything thrown becomes an error body', async (t) => {
  for (const thrown of ['text', null, undefined, { statusCode: 500 }]) {
    t.match(toErrorResponse(thrown), { status: 500, body: { error: { code: 'internal' } } })
  }
})
