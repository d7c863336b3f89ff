import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { links } from '../api.ts'

const nextMs = 1000 // The agent makes one a second for all who look.
const retryMs = 10_000

type Still = { turn: number; shown: boolean }

/** A picture every second, for a browser that cannot decode the stream; nothing while there is none. */
export function Stills({ name, wanted }: { name: string; wanted: boolean }): JSX.Element | null {
  const [{ turn, shown }, setStill] = useState<Still>({ turn: 0, shown: false })
  const [pauseMs, setPauseMs] = useState<number>()
  useEffect(() => {
    if (pauseMs === undefined || !wanted) return
    const timer = setTimeout(() => {
      setPauseMs(undefined)
      setStill((still) => ({ ...still, turn: still.turn + 1 }))
    }, pauseMs)
    return () => clearTimeout(timer)
  }, [pauseMs, wanted])
  const settle = (isThere: boolean): void => {
    setStill((still) => ({ ...still, shown: isThere }))
    setPauseMs(isThere ? nextMs : retryMs)
  }
  if (!wanted && !shown) return null
  return (
    <img
      class="still"
      src={links.still(name, turn)}
      alt={name}
      hidden={!shown}
      onLoad={() => settle(true)}
      onError={() => settle(false)}
    />
  )
}
