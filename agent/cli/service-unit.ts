/** What the unit is made of; every path is absolute. */
export type UnitOptions = {
  /** Node and its arguments, the program first. */
  command: readonly string[]
  /** What only the service writes to. */
  data: string
  /** Of the system: started at boot as this user; absent for a unit of the user's own. */
  user?: string | undefined
}

const stopSeconds = 20 // `up` ends within 10 s of a signal.

/**
 * A systemd unit (systemd.service(5), systemd.exec(5)). The whole file system but the data directory is read-only for
 * it, and it can gain no rights. KillMode=mixed: the supervisor alone gets the signal and stops its children in order.
 */
export function systemdUnit({ command, data, user }: UnitOptions): string {
  const lines = [
    '[Unit]',
    'Description=edgereel: records cameras at the edge and keeps them in the cloud',
    'After=network-online.target',
    'Wants=network-online.target',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${command.map(quoted).join(' ')}`,
    ...(user === undefined ? [] : [`User=${user}`]),
    'Restart=always',
    'RestartSec=2',
    `TimeoutStopSec=${stopSeconds}`,
    'KillMode=mixed',
    'LimitNOFILE=65536',
    'UMask=0077',
    'NoNewPrivileges=true',
    'PrivateTmp=true',
    'ProtectSystem=strict',
    `ReadWritePaths=${quoted(data)}`,
    '',
    '[Install]',
    `WantedBy=${user === undefined ? 'default.target' : 'multi-user.target'}`,
  ]
  return `${lines.join('\n')}\n`
}

/** One word of a command line: quotes, backslashes, specifiers (%) and variables ($) are what they are. */
function quoted(word: string): string {
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('$', '$$$$')
    .replaceAll('\n', '\\n')
  return `"${escaped}"`
}

/** A launch agent of macOS (launchd.plist(5)). */
export function launchdPlist({ command, data }: UnitOptions, label: string): string {
  const words = command.map((word) => `    <string>${xml(word)}</string>`).join('\n')
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${label}</string>
  <key>ProgramArguments</key>
  <array>
${words}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ExitTimeOut</key>
  <integer>${stopSeconds}</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
  <string>${xml(data)}/edgereel.log</string>
</dict>
</plist>
`
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
