/** Dark or light: what the system says until the visitor chooses. */

const key = 'steerlm-theme'

export function startTheme(button) {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    const chosen = localStorage.getItem(key)
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? 'dark' : 'light')
  }
  dark.addEventListener('change', apply)
  button.addEventListener('click', () => {
    const isDark = document.documentElement.dataset.theme === 'dark'
    localStorage.setItem(key, isDark ? 'light' : 'dark')
    apply()
  })
  apply()
}
