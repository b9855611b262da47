/** A character's portrait: initials on a colour of its own. */
import { h } from '../shared/dom.js'
import { hueOfName, initials } from '../shared/format.js'

export function portrait(name, className = '') {
  const hue = String(hueOfName(name))
  return h('span', { className: `face ${className}`, '--hue': hue, ariaHidden: 'true' }, initials(name)) // prettier-ignore
}
