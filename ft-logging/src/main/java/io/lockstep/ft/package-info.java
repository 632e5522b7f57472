/** The pair: a primary and a secondary that execute the same steps, joined by the log. */
package io.lockstep.ft;
