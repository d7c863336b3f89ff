import type { JSX } from 'preact'
import { encode } from 'uqr'

/** A QR code as one path, dark on white in both themes: many readers refuse inverted codes. */
export function QrCode({ value, label }: { value: string; label: string }): JSX.Element {
  const { data, size } = encode(value, { ecc: 'M', border: 2 })
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
