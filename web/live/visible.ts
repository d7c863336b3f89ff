import { signal } from '@preact/signals'
import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** False while the tab is in the background: nobody sees the pictures, so none are fetched. */
export const pageVisible = signal(!document.hidden)
document.addEventListener('visibilitychange', () => {
  pageVisible.value = !document.hidden
})

/** Whether the element is on the screen, or about to be. */
export function useInView(element: RefObject<Element | null>): boolean {
  const [inView, setInView] = useState(false)
  useEffect(() => {
    if (!element.current) return
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.at(-1)?.isIntersecting ?? false),
      { rootMargin: '150px' }, // Begin a little before it is scrolled in.
    )
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element])
  return inView
}
