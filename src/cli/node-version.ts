/** The oldest Node that runs TypeScript files by itself, and has what we use. */
const OLDEST = [22, 19] as const

/** Calls `refuse` with a clear line on an older Node, which would fail obscurely. */
export function assertNodeVersion(version: string, refuse: (line: string) => void): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  refuse(
    `redflash needs Node ${OLDEST.join('.')} or newer; this is ${version}. npm scripts use a newer one by themselves.\n`,
  )
}
