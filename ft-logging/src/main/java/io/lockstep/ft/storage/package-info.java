/**
 * What a pair shares: the epochs, and the virtual disk that is fenced by them. The format of the
 * directory and the argument for the fence stand in docs/storage.md.
 */
package io.lockstep.ft.storage;
