# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Corrects include directories for a build against ROS 2 from Python wheels: -DCMAKE_PROJECT_INCLUDE=<this file>.
# It runs at the end of the configuration, when all targets exist. Compilation is not touched by either correction,
# because the message generator names the directories of the running Python and numpy itself.
#
# 1. Message packages from wheels export the include directory of the Python they were built with, below
#    /opt/python/. CMake refuses a directory that is not there.
# 2. Our own message library would export numpy's directory, which is in .venv/ below the source directory. CMake
#    refuses to install a target that exports a directory of its sources.
function(_correct_wheel_includes)
  get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  get_property(own DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS imported own)
    get_target_property(includes ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(includes)
      set(kept)
      foreach(include IN LISTS includes)
        string(FIND "${include}" "${CMAKE_CURRENT_SOURCE_DIR}/.venv" in_environment)
        if(NOT include MATCHES "^/opt/python/" AND (NOT in_environment EQUAL 0 OR target IN_LIST imported))
          list(APPEND kept "${include}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL _correct_wheel_includes)
