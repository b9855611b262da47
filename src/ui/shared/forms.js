/** Forms: fields with a label, a hint and their own error; errors of the API land beside the field they name. */
import { h } from './dom.js'
import { problem } from './notices.js'

let fieldCount = 0

function field(name, label, control, { hint, className = '' }) {
  const id = `field-${++fieldCount}`
  control.id = id
  const hintElement = hint ? h('small', { id: `${id}-hint` }, hint) : null
  const error = h('small', { id: `${id}-error`, className: 'field-error', role: 'alert' })
  control.setAttribute('aria-describedby', hint ? `${id}-hint ${id}-error` : `${id}-error`)
  const element = h(
    'div',
    { className: `field ${className}` },
    h('label', { htmlFor: id }, label),
    control,
    hintElement,
    error,
  )
  const setError = (message) => {
    error.textContent = message
    control.setAttribute('aria-invalid', String(message !== ''))
  }
  control.addEventListener('input', () => setError(''))
  return { name, element, control, setError }
}

/** A name that the API will take, or a text. */
export function textField(
  name,
  label,
  { value = '', required, pattern, hint, placeholder, options },
) {
  const control = h('input', { type: 'text', value, required, placeholder, autocomplete: 'off' })
  if (pattern) Object.assign(control, { pattern, title: hint ?? label })
  const made = field(name, label, control, { hint })
  if (options) {
    const list = h('datalist', { id: `${control.id}-list` }, ...options.map((o) => h('option', { value: o }))) // prettier-ignore
    control.setAttribute('list', list.id)
    made.element.append(list)
  }
  return { ...made, value: () => control.value.trim() || undefined }
}

/** Names of data sets and models. */
export const nameField = (name, label, options = {}) =>
  textField(name, label, {
    pattern: '[A-Za-z0-9][A-Za-z0-9._\\-]*',
    hint: 'Letters, digits, . _ -',
    required: true,
    ...options,
  })

export function numberField(
  name,
  label,
  { value, min, max, step = 'any', hint, placeholder } = {},
) {
  const control = h('input', { type: 'number', inputMode: 'decimal', min, max, step, placeholder })
  if (value !== undefined) control.value = value
  const made = field(name, label, control, { hint })
  return { ...made, value: () => (control.value === '' ? undefined : control.valueAsNumber) }
}

/** `options`: [{value, label, group?}]. With `none`, nothing may be chosen and `none` says so. */
export function selectField(name, label, { options, value, hint, none, required }) {
  const control = h('select', { required: required ?? none === undefined })
  if (none !== undefined) control.append(h('option', { value: '' }, none))
  const groups = new Map()
  for (const option of options) {
    const item = h('option', { value: option.value }, option.label ?? option.value)
    if (!option.group) control.append(item)
    else {
      if (!groups.has(option.group)) {
        groups.set(option.group, h('optgroup', { label: option.group }))
        control.append(groups.get(option.group))
      }
      groups.get(option.group).append(item)
    }
  }
  if (value !== undefined) control.value = value
  const made = field(name, label, control, { hint })
  return { ...made, value: () => control.value || undefined }
}

export function checkField(name, label, { value = false, hint } = {}) {
  const control = h('input', { type: 'checkbox', checked: value })
  const made = field(name, label, control, { hint, className: 'check' })
  return { ...made, value: () => (control.checked ? true : undefined) }
}

/** The given values by field name; fields left empty are left out. */
export function valuesOf(fields) {
  const entries = fields.map(({ name, value }) => [name, value()])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/**
 * A form of fields with one submit button. `onSubmit(values)` does the work; what it throws is shown at the field that
 * its `param` names (`spec.base` and `pipeline.0.spec.base` name `base`), else above the button.
 */
export function buildForm({ fields, advanced = [], submit, onSubmit, secondary = [] }) {
  const all = [...fields, ...advanced]
  const button = h('button', { type: 'submit', className: 'primary' }, submit)
  const trouble = h('div', { className: 'trouble', role: 'alert' })
  const more =
    advanced.length > 0
      ? h(
          'details',
          { className: 'advanced' },
          h('summary', {}, 'More settings'),
          h('div', { className: 'fields' }, ...advanced.map(({ element }) => element)),
        )
      : null
  const showError = (error) => {
    const named = error.param?.split('.').findLast((part) => !/^\d+$/.test(part))
    const at = all.find(({ name }) => name === named)
    if (!at) return trouble.replaceChildren(problem(error.message ?? 'Something went wrong.'))
    at.setError(error.message)
    // "Replace what has that name" may be among them.
    const isTaken = error.code === 'already_exists'
    const details = isTaken ? more : at.element.closest('details')
    details?.setAttribute('open', '')
    at.control.focus()
  }
  return h(
    'form',
    {
      className: 'form',
      onsubmit: async (event) => {
        event.preventDefault()
        trouble.replaceChildren()
        for (const { setError } of all) setError('')
        button.disabled = true
        try {
          await onSubmit(valuesOf(all))
        } catch (error) {
          showError(error)
        } finally {
          button.disabled = false
        }
      },
    },
    h('div', { className: 'fields' }, ...fields.map(({ element }) => element)),
    more,
    trouble,
    h('div', { className: 'actions' }, button, ...secondary),
  )
}
