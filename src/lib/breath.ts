/** For how long one turn of the event loop goes on with work that can wait, before whatever else there is gets its turn. */
const PORTION_MS = 8
/** How many are let on in one turn at most. */
const BATCH = 64

const waiting: (() => void)[] = []
/** When the present turn began with such work. */
let beganMs: number | undefined

/**
 * To be awaited between two portions of work that many may have at once: nothing while the present turn of the event
 * loop may go on, else what resolves in a later one, in the order in which it was asked for.
 */
export function breathe(): Promise<void> | undefined {
  if (waiting.length === 0 && !isUsedUp()) return undefined
  const { promise, resolve } = Promise.withResolvers<void>()
  if (waiting.push(resolve) === 1) setImmediate(letOn)
  return promise
}

function isUsedUp(): boolean {
  const now = performance.now()
  if (beganMs === undefined) {
    beganMs = now
    setImmediate(() => (beganMs = undefined))
  }
  return now - beganMs >= PORTION_MS
}

/** Each in an immediate of its own: what one sets going at once counts before the next is let on. */
function letOn(): void {
  for (let left = Math.min(BATCH, waiting.length); left > 0; left--) {
    setImmediate(() => {
      if (!isUsedUp()) waiting.shift()?.()
    })
  }
  setImmediate(() => {
    if (waiting.length > 0) letOn()
  })
}
