import type { Actor } from '../bmc/actor.ts'
import type { Selection } from './select.ts'

/** What somebody wants of a roll-out. */
export type Wish = { readonly by?: Actor | undefined } & (
  | { readonly kind: 'Pause' | 'Resume' | 'Cancel' }
  | { readonly kind: 'Approved'; readonly wave: number }
  /** Of all devices for which that can be, unless some are named. */
  | { readonly kind: 'RetryFailed' | 'RollBack'; readonly targets?: readonly string[] | undefined }
  | { readonly kind: 'Add'; readonly selection: Pick<Selection, 'chosen' | 'skipped'> }
)
