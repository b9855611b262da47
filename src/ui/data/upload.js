/** The upload of a data set: choose or drop a file, say what it is, watch it go, see what came of it. */
import { hashOf } from '../router.js'
import { uploadForm } from '../shared/api.js'
import { h, icon } from '../shared/dom.js'
import { bytes, count } from '../shared/format.js'
import { buildForm, checkField, nameField, selectField, textField } from '../shared/forms.js'
import { done } from '../shared/notices.js'
import { progressBar } from '../shared/layout.js'
import { formats, nameFromFile } from './formats.js'
import { quarantineTable } from './quarantine.js'

export function createUpload({ onDone }) {
  const area = h('section', { className: 'upload', ariaLabel: 'Upload a data set' })
  const start = () => area.replaceChildren(dropZone(choose))
  const choose = (file) => area.replaceChildren(fileForm(file, { cancel: start, finish }))
  const finish = async (dataset) => {
    area.replaceChildren(await outcome(dataset), dropZone(choose))
    await onDone()
  }
  start()
  return area
}

function dropZone(choose) {
  const input = h('input', {
    type: 'file',
    id: 'upload-file',
    className: 'hidden',
    accept: '.ndjson,.jsonl,.json,.gz',
    onchange: () => input.files[0] && choose(input.files[0]),
  })
  const zone = h(
    'label',
    { className: 'drop-zone', htmlFor: 'upload-file' },
    icon('upload'),
    h('span', {}, h('b', {}, 'Choose a file'), ' or drop it here'),
    h('small', {}, 'NDJSON, one row per line; .gz is fine; any size'),
    input,
  )
  const mark = (isOver) => (event) => {
    event.preventDefault()
    zone.classList.toggle('over', isOver)
  }
  zone.addEventListener('dragover', mark(true))
  zone.addEventListener('dragleave', mark(false))
  zone.addEventListener('drop', (event) => {
    mark(false)(event)
    const [file] = event.dataTransfer.files
    if (file) choose(file)
  })
  return zone
}

function fileForm(file, { cancel, finish }) {
  const status = h('div', { className: 'upload-status' })
  const abort = new AbortController()
  const leave = () => {
    abort.abort()
    cancel()
  }
  const fields = [
    nameField('name', 'Name', { value: nameFromFile(file.name) }),
    selectField('format', 'Format of the rows', { options: formats, value: 'records' }),
    checkField('overwrite', 'Replace a set of that name'),
  ]
  const advanced = [
    textField('map', 'Columns', {
      placeholder: 'prompt=question,response=answer,humor=funny',
      hint: 'For tables: what is in which column',
    }),
    textField('where', 'Only rows with', { placeholder: 'split=train,lang=en' }),
  ]
  const form = buildForm({
    fields,
    advanced,
    submit: 'Upload',
    secondary: [h('button', { type: 'button', className: 'quiet', onclick: leave }, 'Cancel')],
    onSubmit: async (values) => {
      try {
        const onProgress = (sent, total) => showProgress(status, sent, total)
        await finish(await send(file, values, { onProgress, signal: abort.signal }))
      } finally {
        status.replaceChildren()
      }
    },
  })
  const heading = h('h3', {}, file.name, h('small', { className: 'soft' }, ` ${bytes(file.size)}`))
  return h('div', { className: 'card' }, heading, form, status)
}

/** The fields stand before the file, so that the server knows them when the rows come. */
function send(file, values, options) {
  const body = new FormData()
  for (const [name, value] of Object.entries(values)) body.append(name, String(value))
  body.append('file', file)
  return uploadForm('/v1/datasets', body, options)
}

function showProgress(status, sent, total) {
  const text =
    sent < total ? `${bytes(sent)} of ${bytes(total)}` : 'Sent. The rows are being checked…'
  const bar = progressBar({ done: sent, total: sent < total ? total : 0, label: 'Upload' })
  status.replaceChildren(bar, h('small', {}, text))
}

async function outcome(dataset) {
  const { name, rows, quarantined } = dataset
  const text = `${name}: ${count(rows)} rows stored.`
  const link = { href: hashOf(['data', name]), label: 'Look at it' }
  const card = h('div', { className: 'card' }, done(text, link))
  if (quarantined > 0) {
    card.append(
      h('p', {}, `${count(quarantined)} rows were not valid and were set aside:`),
      await quarantineTable(name),
    )
  }
  return card
}
