/**
 * What of a commit outlives not only the process but the machine: nothing for sure, all but the last moments, everything.
 */
export const syncPolicies = ['off', 'normal', 'full'] as const
export type SyncPolicy = (typeof syncPolicies)[number]
