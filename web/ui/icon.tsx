import type { JSX } from 'preact'

/** Stroke icons on a grid of 24, drawn for this page. */
const paths = {
  live: 'M4 6h11a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zM17 11l5-3v8l-5-3',
  phones: 'M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zM11 18.5h2',
  vehicles:
    'M3 16.500V6a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v10.500zM3 11.500h18M12 4v7.500M5 16.500V19h2.500v-2.500M16.500 16.500V19H19v-2.500M6.500 14h1M16.500 14h1',
  sound:
    'M4 9.500v5h3.500L12 18.500v-13L7.500 9.500zM15.500 9a4.200 4.200 0 0 1 0 6M18 6.500a7.800 7.800 0 0 1 0 11',
  pause: 'M7 5v14M17 5v14',
  play: 'M7 4.500v15l12-7.500z',
  archive: 'M3 4h18v5H3zM5 9v9a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9M10 13h4',
  tasks: 'M4 6l1.5 1.5L8 5M4 12.5L5.500 14 8 11.500M4 19l1.500 1.500L8 18M12 6.500h8M12 13h8M12 19.500h8',
  status: 'M2.500 12h4l3-8 5 16 3-8h4',
  beatsync:
    'M9 18.500a2.800 2.800 0 1 1-5.600 0 2.800 2.800 0 0 1 5.600 0zM9 18.500V5l11-2v13M20 16a2.800 2.800 0 1 1-5.600 0 2.800 2.800 0 0 1 5.600 0z',
  stop: 'M6 6h12v12H6z',
  rewind: 'M4 4v6h6M4.600 10A8.500 8.500 0 1 1 4 15M12 8.500V13l3 2',
  expand: 'M9 3H3v6M15 21h6v-6M3 3l7 7M21 21l-7-7',
  close: 'M5 5l14 14M19 5L5 19',
  check: 'M4.500 12.500l5 5 10-11',
  plus: 'M12 4v16M4 12h16',
  download: 'M12 3v13M6.500 11l5.500 5.500L17.500 11M4 21h16',
  share:
    'M10 14a4 4 0 0 0 5.700 0l3.800-3.800a4 4 0 0 0-5.700-5.700l-1.300 1.300M14 10a4 4 0 0 0-5.700 0l-3.800 3.800a4 4 0 0 0 5.700 5.700l1.300-1.300',
  trash: 'M4 6.500h16M9 6V3.500h6V6M6 6.500l1 14h10l1-14M10 11v5.500M14 11v5.500',
  pin: 'M12 15.500V22M8 3h8l-1 6 3 3.500v3H6v-3L9 9z',
  copy: 'M9 9h11v12H9zM15 9V3H4v12h5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M19.100 4.900l-1.400 1.400M6.300 17.700l-1.400 1.400',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z',
  auto: 'M12 3.500a8.500 8.500 0 1 0 0 17zM12 3.500a8.500 8.500 0 0 1 0 17',
  warning: 'M12 3.500L22 20.500H2zM12 10v5M12 17.800v.200',
  search: 'M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L21 21',
  camera:
    'M4 7h4l2-3h4l2 3h4a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zM12 10a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z',
  retry: 'M20 4v6h-6M19.500 10A8 8 0 1 0 20 14',
  key: 'M8 11a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM11.300 12.300L20 3.500M16.500 7l3 3',
  disk: 'M4 14.500l2.500-9h11l2.500 9M4 14.500h16V20H4zM16.500 17.200h.500',
  cloud: 'M7 19a4.500 4.500 0 0 1-.500-9A6 6 0 0 1 18 9.500 4.800 4.800 0 0 1 17.500 19z',
  upload: 'M12 20V8M6.500 13L12 7.500l5.500 5.500M4 3.500h16',
  clock: 'M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM12 7.500V12l3.500 2',
  eye: 'M2 12s3.500-6.500 10-6.500S22 12 22 12s-3.500 6.500-10 6.500S2 12 2 12zM12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z',
  back: 'M14.500 5l-7 7 7 7',
  language:
    'M3 6h10M8 3.500V6M11 6c-1 4-4 7-8 8.500M5.500 9c1.500 2.500 3.500 4 6 5M12 21l4.500-11L21 21M13.700 17.500h5.600',
  select: 'M4 4h16v16H4zM8 12l3 3 5-6',
  full: 'M3 9V3h6M15 3h6v6M21 15v6h-6M9 21H3v-6',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  )
}

/** The mark: a reel that is also a lens, with the recording light in its middle. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect class="mark-plate" width="32" height="32" rx="8" />
      <circle class="mark-line" cx="16" cy="16" r="9" />
      <circle class="mark-light" cx="16" cy="16" r="3.4" />
      <path class="mark-line" d="M25 16v7.200" />
    </svg>
  )
}
