import type { JSX } from 'preact'
import { formatBytes } from './format.ts'
import {
  agentHere,
  onlyStream,
  openRecordings,
  phones,
  recordings,
  session,
  stats,
  streams,
  vehicles,
  vehiclesHere,
} from './model.ts'
import { useResources } from './poll.ts'
import { nextTheme, theme } from './preferences.ts'
import { hrefOf, route, type Section, sections } from './route.ts'
import { cameraAlarms } from './status/alarms.ts'
import { switchLanguage, text } from './text/text.ts'
import { Icon, type IconName, Mark } from './ui/icon.tsx'
import { Bar } from './ui/parts.tsx'

const agentSections: readonly Section[] = ['live', 'phones']
const oneStreamSections: readonly Section[] = ['live', 'status']

export function Navigation(): JSX.Element {
  useResources(session, streams, recordings, phones, stats, vehicles)
  const shown = sections.filter((name) => isShown(name))
  return (
    <header class="rail">
      <a class="brand" href={hrefOf('live')}>
        <Mark />
        <span>edgereel</span>
      </a>
      <nav aria-label="edgereel">
        {shown.map((name) => (
          <NavigationLink key={name} section={name} />
        ))}
      </nav>
      <div class="rail-foot">
        <Vitals />
        <Preferences />
      </div>
    </header>
  )
}

function isShown(section: Section): boolean {
  if (onlyStream.value !== undefined) return oneStreamSections.includes(section)
  if (section === 'vehicles') return vehiclesHere.value
  return agentHere.value || !agentSections.includes(section)
}

function NavigationLink({ section }: { section: Section }): JSX.Element {
  const current = route.value.section === section
  const mark = badgeOf(section)
  return (
    <a class="nav-link" href={hrefOf(section)} aria-current={current ? 'page' : undefined}>
      <Icon name={section} />
      <span>{text.value.sections[section]}</span>
      {mark && <span class={`nav-badge nav-badge-${mark.tone}`}>{mark.words}</span>}
    </a>
  )
}

function badgeOf(section: Section): { words: string; tone: 'rec' | 'warn' } | undefined {
  const open = openRecordings.value.length
  if (section === 'live' && open > 0) return { words: String(open), tone: 'rec' }
  const waiting = phones.value.value?.filter(({ state }) => state === 'waiting').length ?? 0
  if (section === 'phones' && waiting > 0) return { words: String(waiting), tone: 'warn' }
  if (section === 'status' && needsAttention()) return { words: '!', tone: 'warn' }
  return undefined
}

/** What costs pictures: the disk, or a camera that does not come. */
function needsAttention(): boolean {
  const cameras = cameraAlarms(streams.value.value ?? [], openRecordings.value, text.value)
  return stats.value.value?.ring?.alarm !== undefined || cameras.length > 0
}

/** Disk and upload in two lines: what one wants to know while the wall is on. */
function Vitals(): JSX.Element | null {
  const now = stats.value.value
  if (!now) return null
  const words = text.value
  const percent = now.ring && now.ring.quotaBytes > 0 ? (100 * now.ring.usedBytes) / now.ring.quotaBytes : 0
  return (
    <a class="vitals" href={hrefOf('status')}>
      {now.ring && (
        <span class="vital">
          <span>{words.diskShort}</span>
          <b>{formatBytes(now.ring.usedBytes)}</b>
        </span>
      )}
      {now.ring && <Bar percent={percent} label={words.diskShort} tone={percent > 90 ? 'warn' : 'busy'} />}
      {now.upload && (
        <span class="vital">
          <span>{words.uploadShort}</span>
          <b>
            {now.upload.pendingBytes > 0
              ? formatBytes(now.upload.pendingBytes)
              : words.status.uploadState[now.upload.state]}
          </b>
        </span>
      )}
    </a>
  )
}

const themeIcons: Record<typeof theme.value, IconName> = { auto: 'auto', light: 'sun', dark: 'moon' }

export function Preferences(): JSX.Element {
  const words = text.value
  return (
    <div class="preferences">
      <button type="button" class="button button-quiet" onClick={switchLanguage} title={words.switchLanguage}>
        <Icon name="language" />
        <span lang={words.otherLanguage === 'English' ? 'en' : 'zh-CN'}>{words.otherLanguage}</span>
      </button>
      <button
        type="button"
        class="button button-quiet button-icon"
        onClick={nextTheme}
        aria-label={words.theme[theme.value]}
        title={words.theme[theme.value]}
      >
        <Icon name={themeIcons[theme.value]} />
      </button>
    </div>
  )
}
