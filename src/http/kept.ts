import type { EventSink } from '../events/event-sink.ts'
import type { Journal } from '../journal/journal.ts'

/** Keeps what was committed before somebody is told of it; false where that cannot be: then nobody may be told. */
export function isKept(journal: Pick<Journal, 'flush'> | undefined): boolean {
  try {
    journal?.flush()
    return true
  } catch {
    // Whoever keeps the service was told why.
    return false
  }
}

/** A sink for events of what is kept: of what happens once the journal was closed nobody is told. */
export function keptFirst(
  sink: EventSink,
  journal: Pick<Journal, 'flush' | 'isOpen'> | undefined,
): EventSink {
  if (journal === undefined) return sink
  return {
    ...sink,
    deliver: async (delivery) => isKept(journal) && journal.isOpen && sink.deliver(delivery),
  }
}
