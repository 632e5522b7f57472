package io.lockstep.ft.storage;

/**
 * What can stand behind the last good frame of an index, and what is done about it.
 *
 * <pre>
 *   case       what is there                            what happened            treatment
 *   ---------  ---------------------------------------  -----------------------  --------------------
 *   CLEAN      zeros, or the end of the file            nothing                  use the frames
 *   TORN       something else, and no good frame that   a crash while frames     use the frames before:
 *              says that the place had been stable      were written             no flush had completed
 *   EMPTY      not even the first frame                 a crash before the       the layer holds nothing
 *                                                       first flush completed
 *   DAMAGED    something else, and later a good frame   the storage lost what    refuse
 *              that says that the place was stable      it had
 * </pre>
 */
enum IndexCase {
  CLEAN,
  TORN,
  EMPTY,
  DAMAGED
}
