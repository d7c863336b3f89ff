import { effect, signal } from '@preact/signals'

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const storageKey = 'edgereel-theme'

/** A value kept in this browser; a browser that refuses storage just forgets it. */
export function readPreference(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

export function writePreference(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Private windows of some browsers refuse: the choice then lasts until the page is closed.
  }
}

export const theme = signal<Theme>(themes.find((name) => name === readPreference(storageKey)) ?? 'auto')

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'auto'
  writePreference(storageKey, theme.value)
}

/** Every colour of the page is a `light-dark()` pair: the scheme of the root decides. */
export function applyTheme(): void {
  effect(() => {
    document.documentElement.style.colorScheme = theme.value === 'auto' ? 'light dark' : theme.value
  })
}
