import type { JSX } from 'preact'
import { Archive } from './archive/archive.tsx'
import { RecordingPage } from './archive/recording-page.tsx'
import { Beatsync } from './beatsync/beatsync.tsx'
import { signedOut } from './http.ts'
import { Wall } from './live/wall.tsx'
import { Login } from './login.tsx'
import { Navigation } from './navigation.tsx'
import { Phones } from './phones/phones.tsx'
import { route } from './route.ts'
import { Status } from './status/status.tsx'
import { Tasks } from './tasks/tasks.tsx'
import { text } from './text/text.ts'
import { ConfirmDialog } from './ui/confirm.tsx'
import { Notices } from './ui/notice.tsx'
import { ChannelPage } from './vehicles/channel-page.tsx'
import { Vehicles } from './vehicles/vehicles.tsx'

/** The whole page: the sign-in form, or the sections with their navigation. */
export function App(): JSX.Element {
  if (signedOut.value) return <Login />
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={focusContent}>
        {text.value.skip}
      </button>
      <Navigation />
      <main id="content" tabIndex={-1}>
        <Current />
      </main>
      <Notices />
      <ConfirmDialog />
    </div>
  )
}

// The hash holds the section, so this is a button that moves the focus, not a link to `#content`.
function focusContent(): void {
  document.getElementById('content')?.focus()
}

function Current(): JSX.Element {
  const { section, item } = route.value
  if (section === 'phones') return <Phones />
  if (section === 'vehicles') return item ? <ChannelPage key={item} name={item} /> : <Vehicles />
  if (section === 'archive') return item ? <RecordingPage key={item} id={item} /> : <Archive />
  if (section === 'beatsync') return <Beatsync />
  if (section === 'tasks') return <Tasks />
  if (section === 'status') return <Status />
  return <Wall />
}
