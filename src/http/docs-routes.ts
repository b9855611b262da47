/** GET /openapi.json and /docs, a plain page made from the same document. */
import type { FastifyInstance } from 'fastify'
import { buildOpenApi, operations } from './openapi.ts'

export const docsRoutes = () => async (app: FastifyInstance) => {
  const document = buildOpenApi()
  const page = renderDocs(document)
  app.get('/openapi.json', async () => document)
  app.get('/docs', async (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'self'")
      .send(page),
  )
}

function renderDocs(document: ReturnType<typeof buildOpenApi>): string {
  const schemas = Object.entries(document.components.schemas)
  const rows = operations.map(({ method, path, summary, body, response, events }) => {
    const links = [
      body && `takes ${link(body)}`,
      response && `gives ${link(response)}`,
      events && `streams ${link(events)}`,
    ]
    return `<tr><td><code>${method.toUpperCase()}</code></td><td><code>${escapeHtml(path)}</code></td><td>${escapeHtml(summary)}<br><small>${links.filter(Boolean).join(' · ')}</small></td></tr>`
  })
  const details = schemas.map(
    ([name, schema]) =>
      `<details id="${name}"><summary>${name}</summary><pre>${escapeHtml(JSON.stringify(schema, null, 2))}</pre></details>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>steerlm API</title><link rel="stylesheet" href="/docs.css"></head>
<body><h1>steerlm API</h1><p>${escapeHtml(document.info.description)}</p>
<p><a href="/openapi.json">openapi.json</a> · <a href="/">the page</a></p>
<table><tbody>${rows.join('\n')}</tbody></table>
<h2>Schemas</h2>${details.join('\n')}</body></html>
`
}

const link = (name: string): string => `<a href="#${name}">${name}</a>`

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
