import type { Clock } from '../lib/clock.ts'
import type { PushWatcher } from '../client/errand.ts'

const BAR_WIDTH = 30
const REDRAW_MS = 100
const PLAIN_STEP = 0.25
const MIB = 2 ** 20

/** Shows a push: a bar that redraws itself on a terminal, plain lines elsewhere. */
export function createProgress(out: NodeJS.WriteStream, clock: Clock): PushWatcher {
  const isTerminal = out.isTTY
  const start = clock.now()
  let drawnAt = 0
  let drawnShare = 0
  let isBarOpen = false
  let last = ''
  const line = (text: string): void => {
    out.write(`${isBarOpen ? '\n' : ''}${text}\n`)
    isBarOpen = false
  }
  return {
    sent: (bytes, total) => {
      const share = total === 0 ? 1 : bytes / total
      const isDue = isTerminal ? clock.now() - drawnAt >= REDRAW_MS : share - drawnShare >= PLAIN_STEP
      if (!isDue && bytes < total) return
      drawnAt = clock.now()
      drawnShare = share
      const text = uploadLine(bytes, total, drawnAt - start)
      if (!isTerminal) return line(text)
      out.write(`\r${bar(share)} ${text}\u001B[K`)
      isBarOpen = true
      if (bytes === total) line('')
    },
    progressed: (state, percent) => {
      const text = [state, percent === undefined ? '' : `${percent} %`]
        .filter((part) => part !== '')
        .join(' ')
      if (text === last || text === '') return
      last = text
      if (!isTerminal || percent === undefined) return line(text)
      out.write(`\r${bar(percent / 100)} ${text}\u001B[K`)
      isBarOpen = true
    },
    said: ({ severity, text, id }) => line(`${severity === 'OK' ? '' : `${severity}: `}${text} (${id})`),
    waiting: (text) => line(text),
  }
}

function uploadLine(bytes: number, total: number, elapsedMs: number): string {
  const rate = bytes / Math.max(1, elapsedMs) // bytes per millisecond
  const leftS = Math.ceil((total - bytes) / rate / 1_000)
  return `${mib(bytes)} of ${mib(total)} MiB, ${mib(rate * 1_000)} MiB/s, ${leftS} s left`
}

function bar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1)
}
