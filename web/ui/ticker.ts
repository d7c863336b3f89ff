import { type ReadonlySignal, signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { nowMs } from '../clock.ts'

const second = signal(nowMs())
let watchers = 0
let timer: ReturnType<typeof setInterval> | undefined

/** The server's wall time, once a second while a component that shows it is on the page. */
export function useSeconds(): ReadonlySignal<number> {
  useEffect(() => {
    watchers += 1
    second.value = nowMs()
    timer ??= setInterval(() => {
      second.value = nowMs()
    }, 1000)
    return () => {
      watchers -= 1
      if (watchers > 0) return
      clearInterval(timer)
      timer = undefined
    }
  }, [])
  return second
}
